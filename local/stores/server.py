"""A server in a folder of its own: its start, its process, its end."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from local.stores.account import Account
from local.stores.errors import PortTakenError, StoreError
from local.stores.folder import Lock, lock
from local.stores.port import choose_port, is_free
from local.stores.process import spawn

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 10
LOG_BYTES_MAX = 1_000_000


class Server:
    """`start()`, then `stop()` or `kill()`, as often as wanted.

    Start it from a thread that lives as long as the process, as the main thread does: on Linux
    the server ends with the thread that started it. `port`, `password` and the URL are known
    once it has started.
    """

    name: ClassVar[str]
    host: ClassVar[str] = "127.0.0.1"
    stop_signal: ClassVar[signal.Signals]
    # Where the log says why it ended, and which of these words blame the data.
    complaint: ClassVar[re.Pattern[str]]
    damage: ClassVar[re.Pattern[str]]

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        options: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.log = self.folder / f"{self.name.lower()}.log"
        self.port = port or 0
        self.password = ""
        self._wanted_port = port
        self._options = dict(options or {})
        # Nothing is inherited: neither our settings and secrets, nor a PGPORT left in a shell.
        self._environment = {"LC_ALL": "C", "TZ": "UTC", **(environment or {})}
        self._account: Account | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id, also after its end; None before the first start."""
        return self._process.pid if self._process else None

    def poll(self) -> int | None:
        """The exit status, minus the signal's number if one ended it; None while it runs."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Return once it answers. Raises `StoreError`, and then leaves nothing running."""
        try:
            try:
                self._start()
            except PortTakenError:
                self._start()
        except OSError as error:
            raise StoreError(f"{self.name} can't run in {self.folder}: {error}.") from error

    def stop(self) -> None:
        """End it in good order, or by force after `STOP_SECONDS_MAX`."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would; the data stay."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def discard(self) -> None:
        """Kill it, and remove its folder and all its data."""
        self.kill()
        if self.folder.exists():
            with lock(self.folder, name=self.name):
                self._remove_data()
                shutil.rmtree(self.folder)

    def _start(self) -> None:
        # Others may pass through the folder (PostgreSQL's user must), not read what is in it.
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        with lock(self.folder, name=self.name) as held:
            if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
                self.log.replace(self.log.with_suffix(".log.1"))
            self._log_start = self.log.stat().st_size if self.log.exists() else 0
            self._prepare(held)
            self.port = choose_port(self.folder, wanted=self._wanted_port)
            self._process = self._spawn(self._command(), held, die_by=self.stop_signal)
            held.note(self._process.pid)
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._is_ready():
            if process.poll() is not None:
                error = StoreError if is_free(self.port) else PortTakenError
                raise error(self._why())
            if time.monotonic() > deadline:
                raise StoreError(
                    f"{self.name} isn't ready after {START_SECONDS_MAX} seconds: see {self.log}."
                )
            time.sleep(0.01)

    def _why(self) -> str:
        """One sentence: this start's last complaint in the log, and what to do about it."""
        with self.log.open(errors="replace") as log:
            log.seek(self._log_start)
            text = log.read().strip()
        *_, last = (None, *self.complaint.finditer(text))
        parts = filter(None, last.groups()) if last else text.splitlines()[-3:]
        words = ": ".join(part.strip(" .,") for part in parts) or "it doesn't say why"
        advice = self._remedy(words) if self.damage.search(words) else f"see {self.log}"
        return f"{self.name} doesn't start in {self.folder}: {words}; {advice}."

    def _spawn(
        self,
        command: Sequence[str | Path],
        held: Lock,
        *,
        die_by: signal.Signals,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Run a program that logs to our log and holds the lock, too, until its end."""
        return spawn(
            command,
            stdin=stdin,
            log=self.log,
            environment=self._environment,
            account=self._account,
            keep_open=held.descriptor,
            die_by=die_by,
        )

    def _prepare(self, held: Lock) -> None:
        """Set `password`, and whatever else must be there before the port is chosen."""
        raise NotImplementedError

    def _command(self) -> list[str | Path]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError

    def _remedy(self, words: str) -> str:
        """What to do about the damage that the log's words tell of, to follow a semicolon."""
        raise NotImplementedError

    def _remove_data(self) -> None:
        """Remove what lies outside the folder."""
