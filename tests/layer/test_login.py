"""A store's password is rotated: the old connections stay, the next one has the new password."""

import asyncio
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from flashsale.config import Settings
from flashsale.errors import Fault, StoreDown
from flashsale.inventory.pipeline import Pipeline
from flashsale.ledger import Ledger
from flashsale.ledger.migrate import migrate

from tests.conftest import Rows
from tests.layer.aws import secrets_manager_of_its_own
from tests.layer.conftest import STARTS_AT

Query = Callable[..., Rows]


@pytest.fixture
def secrets_manager() -> Iterator[Any]:
    with secrets_manager_of_its_own() as client:
        for name in ("db", "redis"):
            client.create_secret(Name=name)
        yield client


@pytest.fixture
def keep(secrets_manager: Any) -> Callable[[str, str, str], None]:
    """Put a user and a password into a secret."""

    def keep(name: str, user: str, password: str) -> None:
        login = json.dumps({"username": user, "password": password})
        secrets_manager.put_secret_value(SecretId=name, SecretString=login)

    return keep


@pytest.fixture
def rotate_db(keep: Callable[[str, str, str], None], query: Query) -> Iterator[Callable[..., None]]:
    """Change the password of a PostgreSQL user, in its secret as well unless told otherwise."""
    query("create role rotating login password 'one' in role flashsale")

    def rotate(password: str, *, told: bool = True) -> None:
        query(f"alter role rotating password '{password}'")
        query(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where usename = 'rotating'"
        )
        if told:
            keep("db", "rotating", password)

    keep("db", "rotating", "one")
    yield rotate
    rotate("gone", told=False)
    query("drop role rotating")


@pytest.fixture
def by_secret(settings: Settings, postgres: Any) -> Settings:
    if postgres.user != "flashsale":
        pytest.fail("the role of the tests has another name")
    return dataclasses.replace(settings, db_user="", db_password="", db_secret="db")


async def test_postgresql_is_asked_with_the_new_password_when_the_old_one_is_refused(
    by_secret: Settings, rotate_db: Callable[..., None]
) -> None:
    ledger = Ledger(by_secret)
    assert await ledger.count_sold(STARTS_AT) is None
    rotate_db("two")
    assert await ledger.count_sold(STARTS_AT) is None
    rotate_db("three")
    assert await ledger.sold_in_sale(STARTS_AT) == []
    await ledger.close()


async def test_a_password_that_nobody_was_told_is_a_store_that_is_away(
    by_secret: Settings, rotate_db: Callable[..., None]
) -> None:
    ledger = Ledger(by_secret)
    rotate_db("secret", told=False)
    with pytest.raises(StoreDown, match="SQLSTATE 28P01"):
        await ledger.count_sold(STARTS_AT)
    rotate_db("known")
    assert await ledger.count_sold(STARTS_AT) is None
    await ledger.close()


async def test_no_password_where_one_is_wanted_is_a_store_that_is_away(settings: Settings) -> None:
    """It was an error of the driver's own, and the buyer heard 500."""
    ledger = Ledger(dataclasses.replace(settings, db_password=""))
    with pytest.raises(StoreDown, match="SQLSTATE 28"):
        await ledger.count_sold(STARTS_AT)
    await ledger.close()


async def test_migrations_too(by_secret: Settings, rotate_db: Callable[..., None]) -> None:
    assert await migrate(by_secret) == []
    rotate_db("two")
    assert await migrate(by_secret) == []


async def test_a_secret_that_can_t_be_read_is_a_store_that_is_away(
    by_secret: Settings, secrets_manager: Any
) -> None:
    for settings in (by_secret, dataclasses.replace(by_secret, db_secret="nowhere")):
        ledger = Ledger(settings)
        with pytest.raises(StoreDown, match="out of reach"):
            await ledger.count_sold(STARTS_AT)
        await ledger.close()


async def test_redis_is_asked_with_the_new_password_when_the_old_one_is_refused(
    redis_settings: Settings,
    redis_client: "redis.Redis",
    keep: Callable[[str, str, str], None],
) -> None:
    def rotate(password: str, *, told: bool = True) -> None:
        rules = ["reset", "on", f">{password}", "~*", "+@all"]
        redis_client.execute_command("ACL", "SETUSER", "rotating", *rules)  # type: ignore[no-untyped-call]
        redis_client.execute_command("CLIENT", "KILL", "USER", "rotating")  # type: ignore[no-untyped-call]
        if told:
            keep("redis", "rotating", password)

    rotate("one")
    settings = dataclasses.replace(redis_settings, redis_password="", redis_secret="redis")
    pipeline = Pipeline(settings)
    try:
        assert await pipeline.execute("ECHO", "a") == b"a"
        rotate("two")
        assert await pipeline.execute("ECHO", "b") == b"b"
        rotate("three", told=False)
        with pytest.raises(Fault):
            await pipeline.execute("ECHO", "c")
    finally:
        await pipeline.close()
        redis_client.execute_command("ACL", "DELUSER", "rotating")  # type: ignore[no-untyped-call]


async def test_a_proxy_is_told_nothing_at_the_start_that_it_refuses(settings: Settings) -> None:
    """RDS Proxy and PgBouncer take no setting as a parameter of the start: statement_timeout was
    one, and nobody could connect."""
    heard = asyncio.get_running_loop().create_future()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4))
        heard.set_result(await reader.readexactly(size - 4))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ledger = Ledger(dataclasses.replace(settings, db_port=port))
        with pytest.raises(StoreDown):
            await ledger.count_sold(STARTS_AT)
        await ledger.close()
    _, _, told = (await heard).partition(b"\x00\x03\x00\x00")
    names = told.split(b"\x00")[::2]
    assert {name.decode() for name in names if name} == {"user", "database", "application_name"}
