"""Sales, attempts and migrations in the ledger: made once, by however many at once."""

import asyncio
import dataclasses
from collections.abc import Callable, Iterator

import pg8000.native
import pytest
from flashsale.config import Settings
from flashsale.errors import EntryRejected, StoreDown
from flashsale.ledger import Ledger
from flashsale.ledger.migrate import migrate, migrations
from flashsale.model import Attempt, Sale

from tests.conftest import Rows
from tests.layer.conftest import STARTS_AT, nonce

Query = Callable[..., Rows]
SALE = Sale(STARTS_AT, STARTS_AT + 3_600, 10_000)
DAY = 86_400


@pytest.fixture
def empty_database(run_sql: Query) -> Iterator[str]:
    run_sql("create database migrated_at_once")
    yield "migrated_at_once"
    run_sql("drop database migrated_at_once with (force)")


def attempt(number: int, *, at: int = STARTS_AT, outcome: str = "available") -> Attempt:
    return Attempt(at * 1_000 + number, nonce(number), STARTS_AT, "ann", 7, outcome)


def partitions(query: Query) -> list[str]:
    rows = query(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = 'attempts'::regclass order by 1"
    )
    return [name.removeprefix("attempts_") for (name,) in rows]


async def test_a_sale_opened_ten_times_at_once_has_ten_thousand_items(
    settings: Settings, query: Query
) -> None:
    ledgers = [Ledger(settings) for _ in range(10)]
    opened = await asyncio.gather(*(ledger.open_sale(SALE) for ledger in ledgers))
    assert sorted(opened) == [False] * 9 + [True]
    assert query("select id, total, extract(epoch from ends_at)::bigint from sales") == [
        [SALE.id, 10_000, SALE.ends_at]
    ]
    counted = "select count(*), count(distinct name), min(item), max(item) from items"
    assert query(counted) == [[10_000, 10_000, 1, 10_000]]
    assert await ledgers[0].count_sold(STARTS_AT) == 0
    for ledger in ledgers:
        await ledger.close()


async def test_an_attempt_sent_twice_is_kept_once(
    ledger: Ledger, settings: Settings, query: Query
) -> None:
    await ledger.open_sale(SALE)
    other = Ledger(settings)
    attempts = [attempt(number) for number in range(500)]
    for _ in range(2):
        await asyncio.gather(*map(ledger.record, attempts), *map(other.record, attempts))
    assert query("select count(*) from attempts") == [[500]]
    assert query(
        "select (extract(epoch from at) * 1000)::bigint, extract(epoch from sale)::bigint, buyer,"
        " item, outcome from attempts order by at limit 2"
    ) == [[STARTS_AT * 1_000 + n, STARTS_AT, "ann", 7, "available"] for n in range(2)]
    await other.close()


async def test_an_attempt_that_can_t_be_kept_fails_alone(ledger: Ledger, query: Query) -> None:
    await ledger.open_sale(SALE)
    attempts = [attempt(number) for number in range(9)]
    attempts[3] = attempt(3, at=STARTS_AT + 100 * DAY)  # a day for which there is no place
    attempts[5] = attempt(5, outcome="nul\0")
    answers = await asyncio.gather(*map(ledger.record, attempts), return_exceptions=True)
    assert isinstance(answers[3], EntryRejected)
    assert isinstance(answers[5], EntryRejected)
    assert answers.count(None) == 7
    assert query("select count(*) from attempts") == [[7]]


async def test_days_are_made_ahead_and_old_ones_dropped(
    ledger: Ledger, settings: Settings, query: Query
) -> None:
    await ledger.open_sale(SALE)
    assert partitions(query) == ["20211231", "20220101", "20220102", "20220103"]
    await ledger.record(attempt(1))
    brief = Ledger(dataclasses.replace(settings, attempts_kept_days=2))
    await brief.open_sale(Sale(STARTS_AT + 2 * DAY, STARTS_AT + 2 * DAY + 3_600, 5))
    assert partitions(query) == [f"2022010{day}" for day in range(1, 6)]
    assert query("select count(*) from attempts") == [[1]]
    await brief.open_sale(Sale(STARTS_AT + 3 * DAY, STARTS_AT + 3 * DAY + 3_600, 5))
    assert partitions(query) == [f"2022010{day}" for day in range(2, 7)]
    assert query("select count(*) from attempts") == [[0]]
    await brief.close()


async def test_five_that_migrate_at_once_apply_each_migration_once(
    settings: Settings, empty_database: str
) -> None:
    empty = dataclasses.replace(settings, db_name=empty_database)
    applied = await asyncio.gather(*(migrate(empty) for _ in range(5)))
    names = [file.name for file in migrations()]
    assert sorted(applied) == [[], [], [], [], names]
    assert await migrate(empty) == []
    ledger = Ledger(empty)
    assert await ledger.open_sale(SALE) is True
    await ledger.close()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.usefixtures("handshakes_fail")
async def test_migrating_a_server_that_is_not_there_or_refuses_is_a_fault(
    deserted: Settings, settings: Settings
) -> None:
    with pytest.raises(StoreDown):
        await migrate(deserted)
    with pytest.raises(StoreDown) as caught:
        await migrate(dataclasses.replace(settings, db_password="canary"))
    assert "canary" not in str(caught.value)


async def test_a_migration_that_is_refused_leaves_nothing(
    settings: Settings, empty_database: str
) -> None:
    """A table stands in the way of the first one's last statement."""
    connection = pg8000.native.Connection(
        settings.db_user,
        host=settings.db_host,
        port=settings.db_port,
        password=settings.db_password,
        database=empty_database,
    )
    connection.run("create table attempts ()")
    empty = dataclasses.replace(settings, db_name=empty_database)
    with pytest.raises(StoreDown, match="0001_ledger"):
        await migrate(empty)
    tables = "select relname from pg_class where relkind = 'r' and relnamespace = 2200 order by 1"
    assert connection.run(tables) == [["attempts"], ["schema_migrations"]]
    connection.run("drop table attempts")
    assert len(await migrate(empty)) == len(migrations())
    connection.close()
