"""Stops a service at any step: every Redis command and every SQL statement is one."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

from flashsale.bootstrap import Service
from flashsale.errors import StoreDown, StoreSilent
from flashsale.inventory.script import script
from flashsale.ledger.session import Session

SCRIPTS = "append checkout claim confirm open overdue persisted release stock".split()


class Fate(StrEnum):
    """What becomes of the process at its step n."""

    DIES = "dies"
    """It is gone before the step; at the step after the last, with all done."""
    FREEZES = "freezes"
    """It stands still before the step, and goes on when the world has settled without it."""
    LOSES_REPLY = "loses_reply"
    """The step takes effect, and the process hears nothing."""
    IS_REFUSED = "is_refused"
    """The step does nothing, and the process is told so."""
    LIVES = "lives"
    """Only the stores suffer."""


Storm = Callable[[], None]


class Steps:
    """Counts the steps of one service, and lets fate strike at one of them, 1 being the first."""

    def __init__(self, service: Service, *, at: int, fate: Fate, storm: Storm) -> None:
        self.taken: list[str] = []
        self.struck = False
        self.dead, self.frozen, self._thawed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.before_redis: Callable[[], None] = lambda: None
        self._at, self._fate, self._storm = at, fate, storm
        pipeline: Any = service.inventory.attempts._pipeline
        pipeline.execute = self._wrapped(pipeline.execute, redis=True)
        for held in vars(service.ledger).values():
            if isinstance(held, Session):
                made: Any = held
                made.run = self._wrapped(made.run, redis=False)

    def thaw(self) -> None:
        self.frozen.clear()
        self._thawed.set()

    def strike_at_the_end(self) -> None:
        """The step after the last: the stores suffer, and nothing more is done."""
        self.struck = True
        self._storm()

    def _wrapped(
        self, run: Callable[..., Awaitable[Any]], *, redis: bool
    ) -> Callable[..., Awaitable[Any]]:
        async def step(*command: Any, **parameters: Any) -> Any:
            if self.dead.is_set():
                raise asyncio.CancelledError  # the dead take no steps
            if self.frozen.is_set():
                await self._thawed.wait()
            self.taken.append(_label(command))
            if redis:
                self.before_redis()
            going_on = functools.partial(run, *command, **parameters)
            return await (self._strike(going_on) if self._is_due() else going_on())

        return step

    def _is_due(self) -> bool:
        return not self.struck and len(self.taken) == self._at

    async def _strike(self, going_on: Callable[[], Awaitable[Any]]) -> Any:
        self.struck = True
        if self._fate is Fate.LOSES_REPLY:
            await going_on()
            self._storm()
            raise StoreSilent("no answer came")
        self._storm()
        if self._fate is Fate.IS_REFUSED:
            raise StoreDown("out of reach")
        if self._fate is Fate.DIES:
            self.dead.set()
            await asyncio.Event().wait()
        if self._fate is Fate.FREEZES:
            self.frozen.set()
            await self._thawed.wait()
        return await going_on()


@functools.cache
def _names() -> dict[str, str]:
    return {script(name).sha: name for name in SCRIPTS}


def _label(command: tuple[Any, ...]) -> str:
    """`claim.lua`, `purchase.sql`, `XLEN`."""
    if command[0] == "EVALSHA":
        return _names().get(str(command[1]), "?") + ".lua"
    if command[0] == "EVAL":
        return "EVAL"
    return str(command[0]) if str(command[0]).isupper() else f"{command[0]}.sql"
