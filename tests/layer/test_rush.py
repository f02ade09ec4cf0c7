"""Many buyers, one item: one wins, and everybody hears the truth."""

import asyncio
from collections.abc import Callable

from flashsale.bootstrap import Service
from flashsale.errors import SoldOut

from tests.conftest import Rows


async def test_two_hundred_buyers_rush_one_item(
    service: Service, query: Callable[..., Rows]
) -> None:
    """One wins; the other 199 are told it is sold out; the ledger holds one row."""
    buyers = [f"buyer-{number}" for number in range(200)]
    sessions = await asyncio.gather(
        *(service.shop.checkout(buyer=buyer, item=7) for buyer in buyers)
    )
    answers = await asyncio.gather(
        *(service.shop.purchase(session.code) for session in sessions), return_exceptions=True
    )
    assert sum(isinstance(answer, str) for answer in answers) == 1
    assert sum(isinstance(answer, SoldOut) for answer in answers) == 199
    assert query("select item, state from purchases") == [[7, "sold"]]
