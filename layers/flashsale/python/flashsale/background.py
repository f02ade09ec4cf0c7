"""Work that a reply need not wait for, but that must not be forgotten either."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from flashsale.errors import Fault, Overloaded
from flashsale.logs import logger
from flashsale.metrics import metrics


class Background:
    """Tasks that tidy up behind replies. What fails here is healed by `reconcile`, and logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, object], *, what: str) -> None:
        task = asyncio.get_running_loop().create_task(_logged(work, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until nothing is under way: before a reply in Lambda, which freezes after it."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def _logged(work: Coroutine[Any, Any, object], what: str) -> None:
    try:
        await work
    except (Fault, Overloaded) as fault:
        logger().warning("left to reconcile", extra={"what": what, "fault": str(fault)})
        metrics().count("LeftToReconcile", what=what)
