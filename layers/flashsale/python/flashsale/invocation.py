"""One invocation under way: whether its time is up, and whether it had to do without Redis."""

import asyncio
from contextvars import ContextVar
from types import TracebackType

_LOOK_SECONDS = 0.1

_current: ContextVar["Invocation | None"] = ContextVar("invocation", default=None)
_running: dict[asyncio.AbstractEventLoop, set["Invocation"]] = {}


class Invocation:
    """Bounds what is done `with` it, as `asyncio.timeout` does, to a tenth of a second more: a
    timer of its own for each request would be dearer than reading the request.

    Leaving it raises `TimeoutError` if the time was up.
    """

    __slots__ = ("_cancelled", "_loop", "_task", "_until", "degraded")

    def __init__(self, seconds: float) -> None:
        self.degraded = False
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + seconds
        self._cancelled = False
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> "Invocation":
        self._task = asyncio.current_task()
        _current.set(self)
        running = _running.get(self._loop)
        if running is None:
            running = _running[self._loop] = set()
            self._loop.call_later(_LOOK_SECONDS, _look, self._loop)
        running.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        running = _running.get(self._loop)
        if running is not None:
            running.discard(self)
        if not self._cancelled or self._task is None:
            return
        others = self._task.uncancel()  # somebody else may want it cancelled, too
        if kind is asyncio.CancelledError and not others:
            raise TimeoutError from error

    def end_if_late(self, now: float) -> None:
        """Cancel it, once, if its time is up. `now` is the loop's clock."""
        if now >= self._until and not self._cancelled and self._task is not None:
            self._cancelled = True
            self._task.cancel()


def _look(loop: asyncio.AbstractEventLoop) -> None:
    """End what has run too long; look again as long as anything runs."""
    running = _running[loop]
    if not running:
        del _running[loop]
        return
    now = loop.time()
    for invocation in running:
        invocation.end_if_late(now)
    loop.call_later(_LOOK_SECONDS, _look, loop)


def under_way() -> int:
    """How many invocations the running loop has in progress."""
    return len(_running.get(asyncio.get_running_loop(), ()))


def mark_degraded() -> None:
    """Note that the running invocation is answered without Redis."""
    invocation = _current.get()
    if invocation is not None:
        invocation.degraded = True
