"""Reserved concurrency: how many invocations a function may have at once, on the whole machine."""

import fcntl
import os
from pathlib import Path
from typing import Any

from local.runtime.errors import ThrottledError
from local.runtime.function import Event, Function


class Slots:
    """A number of places, shared by all processes that use the same file. Each is a byte that a
    process locks, so that whatever becomes of a process, its places are free again."""

    def __init__(self, file: Path, count: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Open as long as the process: closing a file gives all of its process's locks back.
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        self._free = list(range(count))

    def take(self) -> int | None:
        """Take a place; None if all are taken."""
        for index, slot in enumerate(self._free):
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except (BlockingIOError, PermissionError):
                continue
            del self._free[index]
            return slot
        return None

    def give_back(self, slot: int) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, slot)
        self._free.append(slot)


class Reserved:
    """A function that refuses what exceeds its ReservedConcurrentExecutions, as Lambda does."""

    def __init__(self, function: Function, *, count: int, folder: Path) -> None:
        self.spec = function.spec
        self._function = function
        self._slots = Slots(folder / self.spec.name, count)

    async def invoke(self, event: Event, request_id: str = "") -> Any:
        """As the function's own. Raises `ThrottledError`: all places are taken."""
        slot = self._slots.take()
        if slot is None:
            raise ThrottledError("ReservedFunctionConcurrentInvocationLimitExceeded")
        try:
            return await self._function.invoke(event, request_id)
        finally:
            self._slots.give_back(slot)

    async def close(self) -> None:
        await self._function.close()
