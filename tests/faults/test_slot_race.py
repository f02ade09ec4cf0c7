"""Two commits take one slot of a buyer at the same moment: made to, not left to chance."""

import asyncio
from collections.abc import Awaitable, Callable

import pg8000.native
import pytest
from flashsale.config import Settings
from flashsale.ledger import Ledger

from tests.conftest import Rows
from tests.layer.conftest import code

WAITS = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = :name"


@pytest.mark.parametrize(("bought", "word"), [(9, "limit"), (8, "sold")])
async def test_whoever_comes_second_looks_again(
    settings: Settings,
    query: Callable[..., Rows],
    wait_until: Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]],
    bought: int,
    word: str,
) -> None:
    """The other one's row is written and not committed: it waits, then takes the next slot, or
    hears that there is none."""
    ledger = Ledger(settings)
    await asyncio.gather(*(ledger.purchase(code(item, item=item)) for item in range(bought)))
    other = pg8000.native.Connection(
        user=settings.db_user,
        password=settings.db_password,
        host=settings.db_host,
        port=settings.db_port,
        database=settings.db_name,
    )
    first = code(100, item=100)
    other.run("begin")
    other.run(
        "select purchase(:code, :id, :sale, '100', 'ann')",
        code=first.nonce,
        id=first.purchase_id,
        sale=str(first.starts_at),
    )
    second = asyncio.create_task(ledger.purchase(code(101, item=101)))

    async def is_decided_or_waits() -> bool:
        return second.done() or bool(query(WAITS, name=settings.db_name))

    await wait_until(is_decided_or_waits)
    other.run("commit")
    other.close()
    assert (await second).word == word
    assert query("select count(*), count(distinct slot) from purchases") == [[10, 10]]
    await ledger.close()
