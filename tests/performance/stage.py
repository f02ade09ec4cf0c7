"""Private servers for a measurement: stores, floors and our whole service, in temporary folders."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pg8000.native
import redis
from flashsale.config import Settings

from local.addresses import store_variables
from local.stores import Postgres, Valkey
from local.stores.folder import write_private
from local.stores.port import choose_port
from tests.performance.client import Address, ClientError

ROOT = Path(__file__).parents[2]
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
# A day: no measurement meets the end of its sale, unless it runs at midnight UTC.
SALE_SECONDS = 86_400


@dataclass(frozen=True)
class Stores:
    """A Valkey and a PostgreSQL with the settings that `make run` gives them, and a folder."""

    folder: Path
    valkey: Valkey
    postgres: Postgres

    @property
    def roots(self) -> dict[str, int]:
        """Their process ids, for a `Meter`."""
        return {"valkey": self.valkey.pid or 0, "postgresql": self.postgres.pid or 0}

    @property
    def environment(self) -> dict[str, str]:
        """The settings that lead to them."""
        return store_variables({"redis": self.valkey.url, "postgres": self.postgres.url})

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.valkey.url)

    def sql(self) -> pg8000.native.Connection:
        server = self.postgres
        return pg8000.native.Connection(
            user=server.user,
            password=server.password,
            host=server.host,
            port=server.port,
            database=server.database,
        )


@dataclass(frozen=True)
class Served:
    """A server that listens: where, and the process that it and its descendants are."""

    address: Address
    pid: int


def default_processes() -> int:
    """How many processes the gateway has unless told otherwise."""
    return int(Settings().workers)


@contextmanager
def private_stores(postgres_options: Mapping[str, str] | None = None) -> Iterator[Stores]:
    """Run both stores while the block does, and leave nothing of them."""
    with tempfile.TemporaryDirectory(prefix="flashsale-performance-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL's user must pass through, if we are root
        valkey = Valkey(folder / "valkey")
        postgres = Postgres(folder / "postgres", options=postgres_options)
        try:
            valkey.start()
            postgres.start()
            yield Stores(folder, valkey, postgres)
        finally:
            postgres.discard()
            valkey.discard()


@contextmanager
def our_service(
    stores: Stores, *, processes: int, more: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Run the whole service, as `make run` does, on these stores; `more` is of its environment."""
    with _running(
        [sys.executable, "-m", "local.cli", "up"],
        folder=stores.folder / "service",
        environment={
            **stores.environment,
            "WORKERS": str(processes),
            "SALE_SECONDS": str(SALE_SECONDS),
            "DATA_DIR": str(stores.folder / "service"),
            **(more or {}),
        },
        target="/stats",
    ) as served:
        yield served


@contextmanager
def floor(stores: Stores, kind: str, *, processes: int) -> Iterator[Served]:
    """Run one of the bare servers of `bare.py`."""
    with _running(
        [sys.executable, "-m", "tests.performance.bare", kind, str(processes)],
        folder=stores.folder / kind,
        environment=stores.environment,
        target="/",
    ) as served:
        yield served


@contextmanager
def _running(
    command: list[str], *, folder: Path, environment: Mapping[str, str], target: str
) -> Iterator[Served]:
    folder.mkdir(exist_ok=True)
    port = choose_port(folder, wanted=None)
    log = folder / "output"
    write_private(log, "")
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, "HOST": "127.0.0.1", **environment, "PORT": str(port)},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}{target}", log)
        yield Served(Address("127.0.0.1", port), process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise ClientError(f"{url} doesn't answer: {log.read_text()[-2_000:]}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
