"""How PostgreSQL finds rows: by an index, however full the ledger is."""

from collections.abc import Awaitable, Callable

from flashsale.config import Settings
from flashsale.ledger import Ledger
from flashsale.model import Calendar

from tests.conftest import Rows
from tests.layer.conftest import STARTS_AT, code

Query = Callable[..., Rows]
WaitUntil = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


async def test_before_the_first_statistics_a_look_reads_few_rows(
    settings: Settings, query: Query, wait_until: WaitUntil
) -> None:
    """A database's first sale is sold out before autovacuum has looked at it."""
    ledger = Ledger(settings)
    query("alter table purchases set (autovacuum_enabled = off)")

    async def use() -> None:
        for number in range(1, 21):
            await ledger.purchase(code(number, item=number, buyer=f"b{number % 3}"))
            await ledger.purchase(code(100 + number, item=number, buyer="eve"))
            await ledger.look_up(code(100 + number, item=number, buyer="eve"))

    def rows_read() -> int:
        query("select pg_stat_force_next_flush()")
        query("select pg_stat_clear_snapshot()")
        ((rows,),) = query(
            "select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'purchases'"
        )
        return int(rows)

    await use()
    query(
        "insert into purchases (code_id, state, sale, item, buyer, slot, purchase_id)"
        " select gen_random_uuid(), 'sold', to_timestamp(cast(:sale as bigint)), n, 'c' || n, 1,"
        " n::text from generate_series(1000, 5000) n",
        sale=STARTS_AT,
    )
    before = rows_read()
    await use()
    await ledger.close()

    async def is_counted() -> bool:  # a backend's figures are there when it has ended
        return rows_read() >= before + 40

    await wait_until(is_counted)
    assert rows_read() < before + 2_000


async def test_the_audit_of_a_sale_reads_no_other_one_from_end_to_end(
    settings: Settings, query: Query, wait_until: WaitUntil
) -> None:
    query(
        "insert into purchases (code_id, state, sale, item, buyer, slot, purchase_id)"
        " select gen_random_uuid(), 'sold', to_timestamp(n % 50 * 3600), n, 'c' || n, 1, n::text"
        " from generate_series(1, 50000) n"
    )
    query(
        "insert into sales (starts_at, id, ends_at, total)"
        " select to_timestamp(n * 3600), 'sale_' || n, to_timestamp(n * 3600 + 3600), 1000"
        " from generate_series(0, 49) n"
    )
    query(
        "insert into items select to_timestamp(n % 50 * 3600), n / 50 % 1000 + 1, 'Item ' || n"
        " from generate_series(0, 49999) n"
    )
    query("analyze purchases, items")
    query("select pg_stat_force_next_flush()")

    def scans() -> tuple[int, int]:
        query("select pg_stat_clear_snapshot()")
        ((sequential, by_index),) = query(
            "select sum(seq_scan), sum(idx_scan) from pg_stat_user_tables"
            " where relname in ('purchases', 'items')"
        )
        return int(sequential), int(by_index)

    sequential_before, by_index_before = scans()
    ledger = Ledger(settings)
    await ledger.audit(Calendar(3_600, 1_000).sale_starting(3_600))
    await ledger.close()

    async def is_counted() -> bool:
        return scans()[1] > by_index_before

    await wait_until(is_counted)
    assert scans()[0] == sequential_before


async def test_nothing_is_read_from_end_to_end(
    settings: Settings, query: Query, wait_until: WaitUntil
) -> None:
    """Also by plans that were made while the table was empty, where reading all of it is cheap."""
    ledger = Ledger(settings)

    async def use(first: int) -> None:
        for number in range(first, first + 20):
            await ledger.purchase(code(number, item=number, buyer=f"b{number % 3}"))
            await ledger.look_up(code(number, item=number, buyer=f"b{number % 3}"))
            await ledger.fence(code(number, item=number, buyer=f"b{number % 3}"))

    def scans() -> tuple[int, int]:
        query("select pg_stat_clear_snapshot()")
        ((sequential, by_index),) = query(
            "select seq_scan, idx_scan from pg_stat_user_tables where relname = 'purchases'"
        )
        return sequential, by_index

    await use(1)
    query(
        "insert into purchases (code_id, state, sale, item, buyer, slot, purchase_id)"
        " select gen_random_uuid(), 'sold', to_timestamp(0), n, 'c' || n, 1, n::text"
        " from generate_series(1, 20000) n"
    )
    query("analyze purchases")
    query("select pg_stat_force_next_flush()")
    sequential_before, by_index_before = scans()
    await use(1_001)
    await ledger.sold_to_buyer(STARTS_AT, "b1")
    await ledger.close()

    async def is_counted() -> bool:  # a backend's figures are there when it has ended
        return scans()[1] >= by_index_before + 100

    await wait_until(is_counted)
    assert scans()[0] == sequential_before
