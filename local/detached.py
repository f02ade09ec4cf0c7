"""`flashsale up -d`: the service in a session of its own, out of the terminal's reach."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from local.environment import data_folder, user_environment
from local.errors import LocalError
from local.instance import told
from local.interrupt import INTERRUPTED

LOOK_SECONDS = 0.05


def start_detached(say: Callable[[str], None], *, reload: bool) -> dict[str, Any]:
    """Start it in this environment, wait until it is up, and return what it tells of itself.
    Interrupted meanwhile, it stops the service again and exits.

    Raises:
        LocalError: the sentence with which the service ended.
    """
    environment = user_environment()
    folder = data_folder(environment)
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    log = folder / "logs" / "up.log"
    log.parent.mkdir(mode=0o700, exist_ok=True)
    say(f"Starting; it writes to {log}")
    interrupted = _Interrupted()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.cli", "up", *(["--reload"] if reload else [])],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
    while process.poll() is None:
        if interrupted.by:
            process.terminate()
            process.wait()
            sys.exit(INTERRUPTED)
        if (state := told(folder)) is not None and state["pid"] == process.pid:
            return state
        time.sleep(LOOK_SECONDS)
    raise LocalError(_last_line(log))


class _Interrupted:
    """Whether SIGINT or SIGTERM came since this was made."""

    def __init__(self) -> None:
        self.by = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.by = number


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else f"It ended without a word: see {log.parent}"
