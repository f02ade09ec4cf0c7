"""Real servers for every test: one Valkey and one PostgreSQL a session, a fresh state a test."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from itertools import count
from typing import Any

import pg8000.native
import pytest
import redis
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.config import Settings
from flashsale.ledger.migrate import migrate

from local.stores import Postgres, Valkey

CODE_KEYS = "1:" + "5a" * 32

Rows = Sequence[Sequence[Any]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--runtime",
        choices=("local", "lambda"),
        default="local",
        help="how the functions of tests/contract run: as `flashsale up --runtime` does",
    )
    parser.addoption(
        "--url",
        help="a service that runs already: of tests/contract, what can be told from outside is run",
    )


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("stores") / "valkey")
    server.start()
    yield server
    server.discard()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    # One that is thrown away at the end need not survive a power cut; /health is told otherwise
    # by the tests that look at it.
    server = Postgres(tmp_path_factory.mktemp("stores") / "postgres", options={"fsync": "off"})
    server.start()
    yield server
    server.discard()


@pytest.fixture
def redis_client(valkey: Valkey) -> Iterator[redis.Redis]:
    """A client to an empty Valkey. After the test every key must have an end."""
    client = redis.Redis.from_url(valkey.url)
    client.flushall()
    yield client
    endless = [key for key in client.scan_iter() if client.ttl(key) == -1]
    assert not endless, f"keys without a TTL: {endless}"
    client.close()


@pytest.fixture(scope="session")
def run_sql(postgres: Postgres) -> Iterator[Callable[..., Rows]]:
    """Run SQL in the server's own database, for making others."""
    connection = _connect(postgres, postgres.database)
    yield connection.run
    connection.close()


_numbers = count(1)


@pytest.fixture(scope="session")
def template_database(postgres: Postgres, run_sql: Callable[..., Rows]) -> str:
    """A migrated database, to copy: a copy takes 30 ms, migrations take 200."""
    run_sql("create database flashsale_template")
    asyncio.run(migrate(_settings(postgres, database="flashsale_template")))
    return "flashsale_template"


@pytest.fixture
def database(template_database: str, run_sql: Callable[..., Rows]) -> Iterator[str]:
    """The name of a migrated and otherwise empty database of the test's own."""
    name = f"test_{next(_numbers)}"
    # By copying files, in half the time; the checkpoint that it needs costs nothing without fsync.
    run_sql(f"create database {name} template {template_database} strategy file_copy")
    yield name
    run_sql(f"drop database {name} with (force)")


@pytest.fixture
def settings(
    postgres: Postgres, valkey: Valkey, database: str, redis_client: redis.Redis
) -> Settings:
    """Settings for a service on the test's own state. `dataclasses.replace` makes others."""
    return dataclasses.replace(
        _settings(postgres, database=database),
        redis_addr=valkey.address,
        redis_password=valkey.password,
    )


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The layer, composed as in production, with the current sale open."""
    made = bootstrap.build(settings)
    await made.sales.open_due()
    yield made
    await made.close()


@pytest.fixture
def query(postgres: Postgres, database: str) -> Iterator[Callable[..., Rows]]:
    """Run SQL in the test's own database."""
    connection = _connect(postgres, database)
    yield connection.run
    connection.close()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Wait, 10 s at most, until an awaited condition holds."""

    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + 10
        while not await condition():
            assert time.monotonic() < deadline, "waited 10 s in vain"
            await asyncio.sleep(0.01)

    return wait


def _connect(postgres: Postgres, database: str) -> pg8000.native.Connection:
    return pg8000.native.Connection(
        user=postgres.user,
        password=postgres.password,
        host=postgres.host,
        port=postgres.port,
        database=database,
    )


def _settings(postgres: Postgres, *, database: str) -> Settings:
    return Settings(
        db_host=postgres.host,
        db_port=postgres.port,
        db_user=postgres.user,
        db_password=postgres.password,
        rate_buyer=0,  # those who test the rate limits set some
        db_name=database,
        code_keys=CODE_KEYS,
    )
