"""The service that runs in a data folder, as others find it: whether, as which process, where."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from local.errors import LocalError
from local.stores.folder import write_private

# A lock's holder was started before it noted itself; clocks of files and processes differ a little.
NOTED_SECONDS = 2.0


class NotRunningError(LocalError):
    """The command needs a running service."""

    exit_status = 3


def log_file(folder: Path) -> Path:
    """Where the service's processes write their lines."""
    return folder / "logs" / "flashsale.jsonl"


def state_file(folder: Path) -> Path:
    """Where a running service says where it is; readable by its owner alone."""
    return folder / "run.json"


def is_held(folder: Path) -> bool:
    """Whether a service, or what is left of one, has the folder. Raises `LocalError` if that is
    another user's affair."""
    try:
        with (folder / "lock").open("rb") as lock:
            # Shared: two who look at once must not take each other for the service.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except PermissionError:
        raise LocalError(f"{folder} belongs to another user") from None
    return False


def supervisor(folder: Path) -> psutil.Process | None:
    """The process that runs the service in the folder: starting, up, or stopping. None if none
    does, or if only processes are left whose supervisor is gone (they are about to end)."""
    if not is_held(folder):
        return None
    lock = folder / "lock"
    try:
        process = psutil.Process(int(lock.read_text() or "0"))
        # A pid is given out again: its process must be as old as the note.
        return process if process.create_time() < lock.stat().st_mtime + NOTED_SECONDS else None
    except (psutil.NoSuchProcess, ValueError):
        return None


def told(folder: Path) -> dict[str, Any] | None:
    """What the service that is up in the folder has told about itself: its `pid`, since when it is
    up (`since`, Unix seconds), its `processes` (pids by name), and the URLs `gateway`, `redis`,
    `postgres`. None if none is up, or not yet.
    """
    process = supervisor(folder)
    try:
        state: dict[str, Any] = json.loads(state_file(folder).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise LocalError(f"{folder} belongs to another user") from None
    return state if process is not None and state["pid"] == process.pid else None


def told_by_running(folder: Path) -> dict[str, Any]:
    """As `told`. Raises `NotRunningError` if none is up."""
    state = told(folder)
    if state is None:
        raise NotRunningError("The service doesn't run in this checkout: start it by `make run`")
    return state


def require_none_up(folder: Path) -> None:
    """Raise `LocalError` if a service is up in the folder. One that is stopping is waited for."""
    if (state := told(folder)) is not None:
        raise LocalError(
            f"Flashsale already runs in {folder}, as process {state['pid']}: `flashsale down` ends"
            " it, and another DATA_DIR and PORT make room for a second one"
        )


@contextlib.contextmanager
def telling(folder: Path, state: Mapping[str, Any]) -> Iterator[None]:
    """Tell the others all this while the block runs."""
    tell(folder, state)
    try:
        yield
    finally:
        state_file(folder).unlink(missing_ok=True)


def tell(folder: Path, state: Mapping[str, Any]) -> None:
    """Tell them that something has changed."""
    write_private(state_file(folder), json.dumps({"pid": os.getpid(), **state}))
