"""Code that is in use: it is closed after its last user, when other code has taken its place."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from local.runtime.function import Event, Function
from local.template import FunctionSpec


class Counted:
    """A function that knows whether it is in use, and whose code and connections are."""

    def __init__(self, function: Function, uses: Sequence["Use"]) -> None:
        self.spec: FunctionSpec = function.spec
        self._function = function
        self._uses = uses

    async def invoke(self, event: Event, request_id: str = "") -> Any:
        for use in self._uses:
            use.count += 1
        try:
            return await self._function.invoke(event, request_id)
        finally:
            for use in self._uses:
                use.leave()

    async def close(self) -> None:
        await self._function.close()


class Use:
    """Something that is closed when nobody uses it any more; and again if somebody did after all,
    who had chosen it before it was retired."""

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self.close = close
        self.count = 0
        self._retired = False

    def leave(self) -> None:
        self.count -= 1
        if self._retired:
            self._close_if_unused()

    def retire(self) -> None:
        self._retired = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if not self.count:
            task = asyncio.ensure_future(self._closed())
            _closings.add(task)
            task.add_done_callback(_closings.discard)

    async def _closed(self) -> None:
        await self.close()
        gc.collect()  # modules refer to each other, and to open files


_closings: set[asyncio.Future[None]] = set()


async def settled() -> None:
    """Wait for everything that is being closed."""
    while _closings:
        await asyncio.gather(*_closings)


def closing(functions: Sequence[Function]) -> Callable[[], Awaitable[None]]:
    """How functions are closed: one after the other."""

    async def close() -> None:
        for function in functions:
            await function.close()

    return close
