"""Ends the service that runs in a data folder, from outside."""

import contextlib
import time
from pathlib import Path

import psutil

from local.errors import LocalError
from local.instance import is_held, supervisor

LOOK_SECONDS = 0.02


def stop(folder: Path, *, seconds_max: float) -> int | None:
    """Ask the service to end and wait until nothing of it is left. The pid of its supervisor;
    None if there was none.

    Raises:
        LocalError: something is left after `seconds_max`, or is not ours to end.
    """
    process = supervisor(folder)
    if process is not None:
        try:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        except psutil.AccessDenied:
            raise LocalError(f"Process {process.pid} belongs to another user") from None
    deadline = time.monotonic() + seconds_max
    # The lock is free once the last of its processes is gone, and that may not be the one we asked.
    while is_held(folder) or (process is not None and _is_there(process)):
        if time.monotonic() > deadline:
            raise LocalError(f"Still running after {seconds_max:g} s: see {folder / 'logs'}")
        time.sleep(LOOK_SECONDS)
    return process.pid if process else None


def _is_there(process: psutil.Process) -> bool:
    """Whether it still runs; not if it only waits for its parent to hear of its end."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
