"""Whom PostgreSQL runs as, since it refuses root, and where that user can go."""

import os
import pwd
import stat
from pathlib import Path
from typing import NamedTuple

from local.stores.errors import StoreError

# Where root keeps what the other user can't reach in its own place.
OUTSIDE = Path("/var/lib").resolve() / "flashsale"


class Account(NamedTuple):
    uid: int
    gid: int


def choose_account(data: Path) -> Account | None:
    """None, oneself, unless one is root; then the owner of the data, else `postgres`, else
    `nobody`. Raises `StoreError` if there is no such user."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (status := data.stat()).st_uid != 0:
        return Account(status.st_uid, status.st_gid)
    users = {user.pw_name: Account(user.pw_uid, user.pw_gid) for user in pwd.getpwall()}
    account = users.get("postgres") or users.get("nobody")
    if account is None:
        raise StoreError(
            "PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it:"
            " start as an ordinary user."
        )
    return account


def can_reach(path: Path, account: Account | None) -> bool:
    """Whether the account may enter, or run, the path and all the folders it lies in."""
    real = path.resolve()
    return account is None or all(_may_enter(part, account) for part in (real, *real.parents))


def make_passable(folder: Path) -> None:
    """Make a folder of ours that others may pass through, whatever the umask."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)


def _may_enter(path: Path, account: Account) -> bool:
    status = path.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
