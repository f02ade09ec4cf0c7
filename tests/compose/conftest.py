"""The stores as the containers run them: Valkey by its own files, PostgreSQL with its own users."""

import asyncio
import dataclasses
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pg8000.native
import pytest
import redis
from flashsale.config import Settings
from flashsale.ledger.migrate import migrate

from infra.compose import passwords
from local.stores import Postgres
from local.stores.programs import psql, valkey_server
from tests.conftest import CODE_KEYS
from tests.contract.site import eventually
from tests.local.running import free_port

ROOT = Path(__file__).parent.parent.parent
INFRA = ROOT / "infra/compose"
DATABASE = "compose"
USERS = {
    "flashsale_owner": "postgres-owner",
    "flashsale_serving": "postgres-serving",
    "flashsale_read": "postgres-read",
}


@pytest.fixture(scope="session")
def secrets_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first start makes."""
    folder = tmp_path_factory.mktemp("secrets")
    for name in ("all", "postgres", "redis", "viewer"):
        (folder / name).mkdir()
    passwords.make(folder)
    return folder


@pytest.fixture(scope="session")
def password(secrets_folder: Path) -> Callable[[str], str]:
    return lambda name: (secrets_folder / "all" / name).read_text()


@pytest.fixture(scope="session")
def roles_database(
    postgres: Postgres, secrets_folder: Path, run_sql: Callable[..., Any]
) -> Iterator[str]:
    """A database with the users of compose, migrated by its owner."""
    run_sql(f"create database {DATABASE}")
    environment = {
        **os.environ,
        "PGHOST": postgres.host,
        "PGPORT": str(postgres.port),
        "PGUSER": postgres.user,
        "PGPASSWORD": postgres.password,
        "PGDATABASE": DATABASE,
    }
    script = ["-v", "ON_ERROR_STOP=1", "-v", f"secrets={secrets_folder / 'postgres'}"]
    subprocess.run(
        [psql(), "--no-psqlrc", "--quiet", *script, "-f", INFRA / "postgres/roles.sql"],
        env=environment,
        check=True,
    )
    yield DATABASE
    run_sql(f"drop database {DATABASE} with (force)")
    for user in USERS:
        run_sql(f"drop role {user}")


@pytest.fixture(scope="session")
def as_user(
    postgres: Postgres, roles_database: str, password: Callable[[str], str]
) -> Callable[[str], Settings]:
    """Settings that log in to the migrated database as one of its users."""

    def settings(user: str) -> Settings:
        return Settings(
            db_host=postgres.host,
            db_port=postgres.port,
            db_user=user,
            db_password=password(USERS[user]),
            db_name=roles_database,
            code_keys=CODE_KEYS,
        )

    asyncio.run(migrate(settings("flashsale_owner")))
    return settings


@pytest.fixture
def sql(as_user: Callable[[str], Settings]) -> Callable[..., Sequence[Sequence[Any]]]:
    """Run one statement as a user."""

    def run(user: str, statement: str) -> Sequence[Sequence[Any]]:
        settings = as_user(user)
        connection = pg8000.native.Connection(
            settings.db_user,
            host=settings.db_host,
            port=settings.db_port,
            password=settings.db_password,
            database=settings.db_name,
        )
        try:
            return connection.run(statement) or ()
        finally:
            connection.close()

    return run


@pytest.fixture(scope="session")
def valkey_address(tmp_path_factory: pytest.TempPathFactory, secrets_folder: Path) -> Iterator[str]:
    """A Valkey with the configuration and the users of compose."""
    folder, port = tmp_path_factory.mktemp("valkey"), free_port()
    changed = {"dir": folder, "port": port, "aclfile": secrets_folder / "redis/users.acl"}
    lines = [
        line
        for line in (INFRA / "valkey/valkey.conf").read_text().splitlines()
        if line.partition(" ")[0] not in changed
    ]
    configuration = folder / "valkey.conf"
    configuration.write_text(
        "\n".join([*lines, *(f"{key} {value}" for key, value in changed.items())]) + "\n"
    )
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([valkey_server(), configuration], stdout=log, stderr=log) as process,
        redis.Redis(port=port) as client,
    ):
        eventually(lambda: _answers(client))
        yield f"127.0.0.1:{port}"
        process.kill()  # asked to end, it would first finish an append-only file


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
def served(
    as_user: Callable[[str], Settings], valkey_address: str, password: Callable[[str], str]
) -> Settings:
    """Settings of a gateway: the serving user of each store."""
    return dataclasses.replace(
        as_user("flashsale_serving"),
        redis_addr=valkey_address,
        redis_username="service",
        redis_password=password("redis-service"),
    )
