"""The service as it runs on one machine: two gateway processes on one port, and their log."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pg8000.native
import psutil
from flashsale.config import Settings

from local.serve import TEMPLATE
from local.stores import Postgres, Valkey
from local.stores.process import spawn

CODE_KEYS = "7:" + "c0de" * 16
SECONDS_MAX = 15.0
ROOT = TEMPLATE.parent

# The gateway with another template.
_SERVE = """
import pathlib, sys, local.serve
local.serve.TEMPLATE = pathlib.Path(sys.argv[1])
local.serve.main()
"""
_INVOKE = """
import asyncio, sys
from local.functions import load_functions
from local.serve import TEMPLATE
from local.template import Template

async def main():
    functions = {f.spec.name: f for f in load_functions(Template.read(TEMPLATE))}
    for name in sys.argv[1:]:
        await functions[name].invoke({})
    for function in functions.values():
        await function.close()

asyncio.run(main())
"""


class Stores:
    """A Valkey and a PostgreSQL that keep what they are told, to be killed and stopped at will."""

    def __init__(self, folder: Path) -> None:
        self.valkey = Valkey(folder / "valkey")
        self.postgres = Postgres(folder / "postgres")

    def environment(self) -> dict[str, str]:
        return {
            "DB_HOST": self.postgres.host,
            "DB_PORT": str(self.postgres.port),
            "DB_USER": self.postgres.user,
            "DB_PASSWORD": self.postgres.password,
            "DB_NAME": self.postgres.database,
            "REDIS_ADDR": self.valkey.address,
            "REDIS_PASSWORD": self.valkey.password,
        }

    def sql(
        self, statement: str, *, database: str | None = None, **parameters: object
    ) -> Sequence[Sequence[Any]]:
        """Run one statement on a connection of its own."""
        connection = self.connect(database)
        try:
            return connection.run(statement, **parameters) or ()
        finally:
            connection.close()

    def connect(self, database: str | None = None) -> pg8000.native.Connection:
        return pg8000.native.Connection(
            user=self.postgres.user,
            password=self.postgres.password,
            host=self.postgres.host,
            port=self.postgres.port,
            database=database or self.postgres.database,
        )

    def signal_valkey(self, number: signal.Signals) -> None:
        psutil.Process(self.valkey.pid).send_signal(number)

    def signal_postgres(self, number: signal.Signals) -> None:
        """To the server and every process of it, which one signal would not reach."""
        server = psutil.Process(self.postgres.pid)
        for process in (server, *server.children(recursive=True)):
            process.send_signal(number)


class Site:
    """Gateway processes that share a port, which stays theirs while they are down; one alone, where
    the functions run in environments of their own."""

    runtime = "local"

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        processes: int = 2,
        runtime: str | None = None,
        template: Path = TEMPLATE,
    ) -> None:
        """`runtime` is `local` or `lambda`, as the command line of the tests says if not given."""
        folder.mkdir()
        self._reserved = socket.socket()  # bound, and not listening: it gets no connections
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port: int = self._reserved.getsockname()[1]
        self.log, self.output = folder / "log", folder / "output"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'layers/flashsale/python'}",
            "CODE_KEYS": CODE_KEYS,
            "LOG_FILE": str(self.log),
            "PORT": str(self.port),
            "SALE_SECONDS": str(_sale_seconds()),
            **environment,
        }
        self.runtime = runtime or Site.runtime
        self.environment["FUNCTION_RUNTIME"] = self.runtime
        ours = template == TEMPLATE
        self._program = ["-m", "local.serve"] if ours else ["-c", _SERVE, str(template)]
        # Of its own, since reserved concurrency is counted there; but for the dependencies, which
        # take a while to be installed.
        self.environment["DATA_DIR"] = str(folder / "data")
        built = ROOT / ".flashsale" / "build"
        built.mkdir(parents=True, exist_ok=True)
        (folder / "data").mkdir()
        (folder / "data" / "build").symlink_to(built)
        self._count = processes if self.runtime == "local" else 1
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        """The settings of its processes."""
        return Settings.read(self.environment)

    def prepare(self) -> None:
        """Lay out the database and open the sale, as a deployment and the schedule would."""
        command = [sys.executable, "-c", _INVOKE, "MigrateFunction", "CreateSaleFunction"]
        subprocess.run(command, env=self.environment, cwd="/", check=True)

    def start(self) -> None:
        """Return when all processes listen."""
        self._processes = [
            spawn(
                [sys.executable, *self._program],
                stdin=subprocess.DEVNULL,
                log=self.output,
                environment=self.environment,
                account=None,
                keep_open=self._reserved.fileno(),
                die_by=signal.SIGKILL,
            )
            for _ in range(self._count)
        ]
        eventually(lambda: all(_listens(process) for process in self._processes))

    def stop(self) -> None:
        """End the processes in good order, which uvicorn shows by the signal it was sent."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)  # nothing, where it has ended
        statuses = [process.wait(SECONDS_MAX) for process in self._processes]
        self._reserved.close()
        assert set(statuses) <= {0, -signal.SIGTERM}

    def log_lines(self) -> list[dict[str, Any]]:
        """The log; every line is one JSON object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def running_stores(folder: Path) -> Iterator[Stores]:
    """Stores that run while the block does, and are gone after it."""
    made = Stores(folder)
    made.valkey.start()
    made.postgres.start()
    yield made
    made.valkey.discard()
    made.postgres.discard()


@contextmanager
def running_site(folder: Path, environment: Mapping[str, str], **options: Any) -> Iterator[Site]:
    """A site, its sale open, that serves while the block does; `options` are `Site`'s."""
    made = Site(folder, environment, **options)
    made.prepare()
    made.start()
    yield made
    made.stop()


def eventually(condition: Callable[[], bool], seconds_max: float = SECONDS_MAX) -> None:
    """Return once the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds_max} s in vain"
        time.sleep(0.01)


def _listens(process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "a gateway process ended"
    connections = psutil.Process(process.pid).net_connections(kind="tcp")
    return any(connection.status == psutil.CONN_LISTEN for connection in connections)


def _sale_seconds() -> int:
    """About an hour, such that no sale begins or ends while the tests run: the grid of sales begins
    with the epoch, so its length decides where the edges are."""
    now = int(time.time())
    return next(length for length in range(3_600, 86_400) if 60 <= now % length <= 600)
