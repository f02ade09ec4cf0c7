"""Removes what the service keeps in a data folder, and nothing else that lies there."""

import shutil
from pathlib import Path

from local.errors import LocalError
from local.instance import is_held
from local.stores import Postgres, Valkey
from local.stores.folder import lock

# What is ours beside the stores; the lock goes last.
OWN = (
    "logs",
    "ready",
    "build",
    "concurrency",
    "async",
    "code-keys",
    "dead-letters.jsonl",
    "reloads.jsonl",
    "schedules.json",
    "run.json",
    "lock",
)


def require_stopped(folder: Path) -> None:
    """Raise `LocalError` if a service runs in the folder."""
    if is_held(folder):
        raise LocalError(f"The service runs in {folder}: end it first, by `flashsale down`")


def reset(folder: Path) -> list[str]:
    """Remove all data, also PostgreSQL's outside the folder. The names of what was not ours to
    remove; the folder itself goes if there is nothing.

    Raises:
        LocalError: a service runs there, or something can't be removed.
    """
    require_stopped(folder)
    if not folder.exists():
        return []
    try:
        with lock(folder, name="Flashsale"):
            for store in (Valkey(folder / "valkey"), Postgres(folder / "postgres")):
                store.discard()
            for name in OWN:
                _remove(folder / name)
        left = sorted(path.name for path in folder.iterdir())
        if not left:
            folder.rmdir()
    except OSError as error:
        raise LocalError(f"{error.filename} can't be removed: {error.strerror}") from error
    return left


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
