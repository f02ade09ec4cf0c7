"""The service's own processes: kept running, and ended in good order."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from local.stores.process import spawn

STOP_SECONDS_MAX = 10
RESTART_SECONDS_MAX = 5.0
HEALTHY_SECONDS = 10.0


class Process:
    """One Python process of ours, started again whenever it ends by itself.

    One that keeps failing is started after a pause that doubles from 0.1 s to 5 s. It creates the
    file `ready`, named to it in READY_FILE, once it does what it is there for.
    """

    def __init__(
        self,
        name: str,
        module: str,
        *,
        environment: Mapping[str, str],
        log: Path,
        ready: Path,
        lock: int,
    ) -> None:
        self.name = name
        self.log = log
        self._module = module
        self._ready = ready
        self._environment = {**environment, "READY_FILE": str(ready)}
        self._lock = lock
        self._running: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 0.0

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running else None

    def start(self) -> None:
        self._ready.unlink(missing_ok=True)
        self._started = time.monotonic()
        self._running = spawn(
            [sys.executable, "-m", self._module],
            stdin=subprocess.DEVNULL,
            log=self.log,
            environment=self._environment,
            account=None,
            keep_open=self._lock,
            die_by=signal.SIGTERM,
        )

    def is_ready(self) -> bool:
        return self._ready.exists()

    def poll(self) -> int | None:
        return self._running.poll() if self._running else None

    def keep(self) -> bool:
        """Start it again if it has ended and its pause is over. True if it was started."""
        if self.poll() is None:
            return False
        if time.monotonic() - self._started > HEALTHY_SECONDS:
            self._pause = 0.0
        if time.monotonic() - self._started < self._pause:
            return False
        self._pause = min(max(0.1, self._pause * 2), RESTART_SECONDS_MAX)
        self.start()
        return True

    def ask_to_end(self) -> None:
        if self._running and self._running.poll() is None:
            self._running.terminate()

    def wait(self) -> None:
        """Wait for its end, and make it end if it takes too long."""
        if self._running is None:
            return
        try:
            self._running.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()

    def last_words(self) -> str:
        """The last line it wrote before it ended."""
        with self.log.open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 4_096))
            lines = log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it doesn't say why"
