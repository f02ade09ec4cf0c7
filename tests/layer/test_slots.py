"""Many codes of one buyer race through two ledgers: exactly ten sell, and every answer is true."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from flashsale.codes import CheckoutCode
from flashsale.config import Settings
from flashsale.ledger import Ledger

from tests.conftest import Rows
from tests.layer.conftest import code

Query = Callable[..., Rows]


@pytest.fixture
async def ledgers(settings: Settings) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """Two services, as two processes have them: a connection each, side by side."""
    made = Ledger(settings), Ledger(settings)
    yield made
    for ledger in made:
        await ledger.close()


async def race(ledgers: tuple[Ledger, Ledger], codes: list[CheckoutCode]) -> list[str]:
    """Send every other code to the other ledger, all at once; return the words, in order."""
    decisions = await asyncio.gather(
        *(ledgers[place % 2].purchase(each) for place, each in enumerate(codes))
    )
    return [decision.word for decision in decisions]


def sold(query: Query) -> list[str]:
    return sorted(str(row[0]) for row in query("select purchase_id from purchases"))


@pytest.mark.parametrize("many", [11, 30])
async def test_of_many_codes_of_one_buyer_exactly_ten_sell(
    ledgers: tuple[Ledger, Ledger], query: Query, many: int
) -> None:
    for rush in range(10):
        codes = [code(rush * 100 + n, item=rush * 100 + n, buyer=f"b{rush}") for n in range(many)]
        words = await race(ledgers, codes)
        assert words.count("sold") == 10
        assert words.count("limit") == many - 10
        slots = query("select slot from purchases where buyer = :b order by slot", b=f"b{rush}")
        assert slots == [[slot] for slot in range(1, 11)]


async def test_batches_that_cross_each_other_all_succeed(
    ledgers: tuple[Ledger, Ledger], query: Query
) -> None:
    """Buyers in one order want items in the other: two batches that insert in the order of their
    buyers wait for each other's items, until PostgreSQL undoes one of them."""
    for rush in range(5):
        items = range(rush * 200 + 1, rush * 200 + 201)
        up = [code(item, item=item, buyer=f"b{item:04}") for item in items]
        down = [code(item + 5_000, item=item, buyer=f"b{9_999 - item:04}") for item in items]
        decisions = await asyncio.gather(
            *map(ledgers[0].purchase, up), *map(ledgers[1].purchase, down)
        )
        words = [decision.word for decision in decisions]
        assert words.count("sold") == words.count("item_taken") == 200
    assert query("select count(*), count(distinct item) from purchases") == [[1_000, 1_000]]
