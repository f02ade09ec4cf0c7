"""A process that ends with us, and not before us because of a Ctrl-C."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.stores.account import Account

PR_SET_PDEATHSIG = 1


def spawn(
    command: Sequence[str | Path],
    *,
    stdin: int,
    log: Path,
    environment: Mapping[str, str],
    account: Account | None,
    keep_open: int,
    die_by: signal.Signals,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, out of reach of the terminal's signals.

    Its output is appended to `log`. It inherits one descriptor, `keep_open`. On Linux it gets
    the signal `die_by` when the thread that started it ends, killed or not.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment,
            umask=0o077,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            pass_fds=[keep_open],
            start_new_session=True,
            # Python calls it after the change of user, which would undo it.
            preexec_fn=die_with_parent(die_by),
        )
    finally:
        os.close(output)


def die_with_parent(die_by: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, die_by)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)

    return ask
