"""The servers of a run: one or two Valkeys of its own, and its worker's PostgreSQL."""

import asyncio
import dataclasses
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import pg8000.native
import psutil
import redis
from flashsale.config import Settings
from flashsale.ledger.migrate import migrate

from local.stores import Postgres, Valkey

CODE_KEYS = "1:" + "5a" * 32
_TEMPLATE = "flashsale_template"
_SAMPLE_SECONDS = 0.02
_databases = count(1)
# A server ends with the thread that started it, so these threads live as long as the process.
_valkey_keeper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="valkey keeper")
_postgres_keeper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="postgres keeper")
Result = TypeVar("Result")


async def _kept(keeper: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(keeper, work)


class Ledgers:
    """A PostgreSQL for many runs, one after another: each has a database, and may kill all."""

    def __init__(self, folder: Path) -> None:
        # What dies here are processes, not the machine: nothing need reach the disk.
        self.server = Postgres(folder, options={"fsync": "off", "max_connections": "60"})

    def __enter__(self) -> Self:
        _postgres_keeper.submit(self.server.start).result()
        self.run("postgres", f"create database {_TEMPLATE}")
        asyncio.run(migrate(self.settings(_TEMPLATE)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.server.discard()

    def settings(self, database: str) -> Settings:
        return Settings(
            db_host=self.server.host,
            db_port=self.server.port,
            db_user=self.server.user,
            db_password=self.server.password,
            db_name=database,
            code_keys=CODE_KEYS,
        )

    def create(self) -> str:
        """Make a migrated, empty database and return its name."""
        name = f"run_{next(_databases)}"
        self.run("postgres", f"create database {name} template {_TEMPLATE}")
        return name

    def drop(self, database: str) -> None:
        self.run("postgres", f"drop database {database} with (force)")

    def run(self, database: str, sql: str, **parameters: Any) -> list[list[Any]]:
        """Run SQL past the proxies."""
        known = dataclasses.asdict(self.settings(database))
        connection = pg8000.native.Connection(
            timeout=20,
            **{name: known[f"db_{name}"] for name in ("user", "password", "host", "port")},
            database=database,
        )
        try:
            return connection.run(sql, **parameters) or []
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """The postmaster and all its children."""
        if self.server.pid is None or self.server.poll() is not None:
            return []
        postmaster = psutil.Process(self.server.pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def signal_all(self, number: signal.Signals) -> None:
        for process in self.processes():
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    async def kill(self) -> None:
        """SIGKILL to everything; returns when nothing of it is left."""
        everyone = self.processes()
        self.signal_all(signal.SIGKILL)
        await asyncio.to_thread(self.server.kill)
        await asyncio.to_thread(psutil.wait_procs, everyone[1:], 5)

    async def start(self) -> None:
        if self.server.poll() is not None:
            await _kept(_postgres_keeper, self.server.start)


class Gate:
    """One Valkey, and how long its append-only file was when."""

    def __init__(self, folder: Path, *, replica_of: "Gate | None" = None, through: int = 0) -> None:
        options: dict[str, str] = {
            "repl-diskless-sync-delay": "0",
            "repl-timeout": "60",
            "maxmemory": "64mb",
        }
        if replica_of is not None:
            folder.mkdir(mode=0o711)
            password = folder / "password"
            password.write_text(replica_of.server.password)
            password.chmod(0o600)
            options["replicaof"] = f"127.0.0.1 {through}"
            options["primaryauth"] = replica_of.server.password
        self.server: Valkey = Valkey(folder, options=options)
        self._sizes: list[tuple[float, Path, int]] = []
        self._sampling: asyncio.Task[None] | None = None

    @property
    def _log(self) -> Path | None:
        """The file that is appended to; a replica begins a new one when it has its first copy."""
        files = (self.server.folder / "appendonlydir").glob("appendonly.aof.*.incr.aof")
        return max(files, key=lambda file: int(file.name.split(".")[2]), default=None)

    async def start(self) -> None:
        if self.server.pid is None or self.server.poll() is not None:
            await _kept(_valkey_keeper, self.server.start)
        if self._sampling is None:
            self._sampling = asyncio.get_running_loop().create_task(self._sample())

    def kill(self) -> None:
        self.server.kill()

    def signal(self, number: signal.Signals) -> None:
        if self.server.pid is not None and self.server.poll() is None:
            os.kill(self.server.pid, number)

    def lose_tail(self, seconds: float) -> None:
        """Cut off what was appended in the last `seconds` before now, as a power cut may."""
        then = asyncio.get_running_loop().time() - seconds
        log = self._log
        assert log is not None
        older = [size for at, file, size in self._sizes if at <= then and file == log]
        os.truncate(log, min(older[-1] if older else 0, log.stat().st_size))

    def client(self) -> redis.Redis:
        """A client past the proxies."""
        return redis.Redis(
            host=self.server.host,
            port=self.server.port,
            password=self.server.password,
            socket_timeout=5,
        )

    async def ask(self, *command: str | int) -> Any:
        """Run one command past the proxies."""
        return await asyncio.to_thread(self._ask, command)

    def _ask(self, command: tuple[str | int, ...]) -> Any:
        with self.client() as client:
            return client.execute_command(*command)

    async def promote(self) -> None:
        """Make a primary of this replica, for good: also when it starts again."""
        await self.ask("REPLICAOF", "NO", "ONE")
        self.server._options.pop("replicaof", None)

    async def follows(self) -> bool:
        """Whether this replica has all that its primary had."""
        told = await self.ask("INFO", "replication")
        return bool(told["master_link_status"] == "up")

    def discard(self) -> None:
        if self._sampling is not None:
            self._sampling.cancel()
        self.signal(signal.SIGCONT)
        self.server.discard()

    async def _sample(self) -> None:
        while True:
            if log := self._log:
                now = asyncio.get_running_loop().time()
                self._sizes.append((now, log, log.stat().st_size))
            await asyncio.sleep(_SAMPLE_SECONDS)
