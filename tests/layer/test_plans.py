"""How PostgreSQL finds rows: by an index, however full the ledger is."""

from collections.abc import Awaitable, Callable

from flashsale.config import Settings
from flashsale.ledger import Ledger

from tests.conftest import Rows
from tests.layer.conftest import STARTS_AT, code

Query = Callable[..., Rows]
WaitUntil = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


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
