"""Lets calls that arrive while an earlier batch is under way leave together as the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypedDict, TypeVar

from flashsale.errors import EntryRejected, Overloaded

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")


class Bounds(TypedDict):
    """How large a batch may be, and how many entries may wait for one."""

    size_max: int
    waiting_max: int


class Batcher(Generic[Entry, Answer]):
    """Turns many `add` calls into few `run` calls, each with a list of entries.

    `run` returns one answer per entry, in order; an answer that is an exception is raised to that
    entry's caller alone. If `run` raises `EntryRejected`, nothing of the batch stands, and its
    halves are run by themselves until the entry that spoils it is alone: neighbours never pay.
    Any other exception reaches every caller of the batch, for each of whom it is true.
    """

    def __init__(
        self,
        run: Callable[[list[Entry]], Awaitable[Sequence[Answer | BaseException]]],
        *,
        size_max: int,
        waiting_max: int,
        crowd: Callable[[], int] = lambda: 0,
        gather_seconds: float = 0.0,
    ) -> None:
        """A batch waits until half of the `crowd` has joined it, which counts all who are
        about and may, but no longer than `gather_seconds`: nobody waits who is alone."""
        self._run = run
        self._size_max = size_max
        self._waiting_max = waiting_max
        self._crowd = crowd
        self._gather_seconds = gather_seconds
        self._enough = 0
        self._gathering: asyncio.Future[None] | None = None
        self._waiting: deque[tuple[Entry, asyncio.Future[Answer]]] = deque()
        self._draining: asyncio.Task[None] | None = None

    def add(self, entry: Entry) -> "asyncio.Future[Answer]":
        """Queue one entry; await the result for its answer.

        Raises:
            Overloaded: at once, if too many entries wait already.
        """
        if len(self._waiting) >= self._waiting_max:
            raise Overloaded
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((entry, future))
        if self._gathering is not None and len(self._waiting) >= self._enough:
            _let_go(self._gathering)
        if self._draining is None:
            self._draining = loop.create_task(self._drain())
        return future

    async def settled(self) -> None:
        """Wait until nothing is queued or under way."""
        while self._draining is not None:
            await asyncio.wait([self._draining])

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                size = min(len(self._waiting), self._size_max)
                await self._answer([self._waiting.popleft() for _ in range(size)])
        finally:
            self._draining = None

    async def _gather(self) -> None:
        self._enough = min(self._crowd() // 2, self._size_max)
        if len(self._waiting) >= self._enough:
            return
        loop = asyncio.get_running_loop()
        gathering = self._gathering = loop.create_future()
        timer = loop.call_later(self._gather_seconds, _let_go, gathering)
        try:
            await gathering
        finally:
            timer.cancel()
            self._gathering = None

    async def _answer(self, batch: list[tuple[Entry, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._run([entry for entry, _ in batch])
            if len(answers) != len(batch):
                raise RuntimeError(f"{len(answers)} answers for {len(batch)} entries")
        except EntryRejected as fault:
            if len(batch) == 1:
                _settle(batch[0][1], fault)
                return
            middle = len(batch) // 2
            await self._answer(batch[:middle])
            await self._answer(batch[middle:])
            return
        except Exception as fault:
            for _, future in batch:
                _settle(future, fault)
            return
        for (_, future), answer in zip(batch, answers, strict=False):
            _settle(future, answer)


def _let_go(gathering: "asyncio.Future[None]") -> None:
    if not gathering.done():
        gathering.set_result(None)


def _settle(future: "asyncio.Future[Answer]", answer: Answer | BaseException) -> None:
    if future.done():  # its caller gave up waiting
        return
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
