"""A store's folder: who may use it now, and the small files that outlive a run."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.stores.errors import StoreError

LOCK_SECONDS_MAX = 10


class Lock:
    """The right to use a folder. Processes inherit its descriptor, and it is free once the last
    of them is gone: whatever became of whoever started them, and without trusting a pid."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def note(self, pid: int) -> None:
        """Write down who holds it, for the message to the next one."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, str(pid).encode(), 0)


@contextmanager
def lock(folder: Path, *, name: str) -> Iterator[Lock]:
    """Hold the folder; wait `LOCK_SECONDS_MAX` for a server that is still shutting down.

    Our hold ends with the block, that of the processes started inside it with them. Raises
    `StoreError`, which names the process in the way.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + LOCK_SECONDS_MAX
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 20, 0).decode() or "unknown"
                raise StoreError(f"{name} already runs in {folder}: end process {holder} first.")
            time.sleep(0.02)
        held = Lock(descriptor)
        held.note(os.getpid())
        yield held
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(path: Path, text: str) -> None:
    """Replace the file, whole or not at all, by one that only its owner can read."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
