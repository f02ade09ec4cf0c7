"""The gate: batches of many sales and buyers, in which nobody pays for a neighbour."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest
import redis
from flashsale.codes import CheckoutCode
from flashsale.config import Settings
from flashsale.errors import EntryRejected, Overloaded, StoreDown
from flashsale.inventory import Checkout, Inventory
from flashsale.inventory.script import sale_key
from flashsale.model import Sale, Sold

from tests.layer.conftest import code as a_code
from tests.layer.conftest import nonce


@pytest.fixture
async def inventory(redis_settings: Settings) -> AsyncIterator[Inventory]:
    made = Inventory(redis_settings)
    yield made
    await made.close()


@pytest.fixture
def sale(redis_client: "redis.Redis") -> Sale:
    now = redis_client.time()[0]
    return Sale(now - 100, now + 3_600, 10_000)


def code(sale: Sale, number: int, *, item: int, buyer: str = "ann") -> CheckoutCode:
    made = a_code(number, item=item, buyer=buyer, starts_at=sale.starts_at)
    return dataclasses.replace(made, expires_at=sale.ends_at)


def checkout(sale: Sale, *, item: int) -> Checkout:
    return Checkout(sale.starts_at, "ann", item, nonce(item), sale.starts_at * 1_000)


async def test_a_batch_of_several_sales_is_answered_in_order(
    inventory: Inventory, sale: Sale, redis_client: "redis.Redis"
) -> None:
    other = Sale(sale.starts_at - 10, sale.ends_at, 10_000)
    for each in (sale, other):
        await inventory.open(each)
    await inventory.confirm(Sold(other.starts_at, 5, nonce(99), "zoe"))
    asked = [(sale, 5), (other, 5), (sale, 6), (other, 6), (other, 5)]
    told = await asyncio.gather(
        *(inventory.checkout(checkout(each, item=item)) for each, item in asked)
    )
    assert [verdict.word for verdict in told] == [
        "available", "sold_out", "available", "available", "sold_out"
    ]  # fmt: skip
    now_ms = redis_client.time()[0] * 1_000
    assert all(abs(verdict.at_ms - now_ms) < 5_000 for verdict in told)


async def test_a_sale_that_is_not_there_spoils_no_other_sale_s_answers(
    inventory: Inventory, sale: Sale
) -> None:
    await inventory.open(sale)
    gone = dataclasses.replace(sale, starts_at=sale.starts_at - 1)
    codes = [code(each, n, item=n) for n, each in enumerate((sale, gone, sale, gone), start=1)]
    told = await asyncio.gather(*map(inventory.claim, codes))
    assert [v.word for v in told] == ["claimed", "not_loaded", "claimed", "not_loaded"]


async def test_a_poisoned_claim_fails_alone(
    inventory: Inventory, sale: Sale, redis_client: "redis.Redis"
) -> None:
    """A buyer whose counts are no counts ends the script in the middle of a batch: neighbours
    before it were written already, and are claimed once all the same."""
    await inventory.open(sale)
    redis_client.hset(sale_key(sale.starts_at, "buyers"), "poison", "none")
    codes = [code(sale, n, item=n, buyer="poison" if n == 4 else f"b{n}") for n in range(1, 10)]
    told = await asyncio.gather(*map(inventory.claim, codes), return_exceptions=True)
    assert isinstance(told.pop(3), EntryRejected)
    assert [getattr(verdict, "word", verdict) for verdict in told] == ["claimed"] * 8
    counts = redis_client.hgetall(sale_key(sale.starts_at, "buyers"))
    assert counts == {b"poison": b"none"} | {
        f"b{n}".encode(): b"1 0" for n in range(1, 10) if n != 4
    }


async def test_a_full_redis_claims_nothing_and_recovers(
    inventory: Inventory, sale: Sale, redis_client: "redis.Redis"
) -> None:
    await inventory.open(sale)
    memory = redis_client.config_get("maxmemory")["maxmemory"] or "0"
    redis_client.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreDown, match="OOM"):
            await inventory.claim(code(sale, 1, item=1))
        assert not redis_client.exists(sale_key(sale.starts_at, "claims"))
        told = await inventory.checkout(checkout(sale, item=1))
        assert told.word == "available"
    finally:
        redis_client.config_set("maxmemory", memory)
    assert (await inventory.claim(code(sale, 1, item=1))).word == "claimed"


async def test_more_sales_than_a_batch_holds_are_all_written_down(
    redis_settings: Settings, sale: Sale
) -> None:
    inventory = Inventory(dataclasses.replace(redis_settings, batch_max=7))
    await inventory.open(sale)
    sold = [Sold(sale.starts_at, item, nonce(item), f"b{item}") for item in range(1, 101)]
    await inventory.confirm_all(sold)
    assert (await inventory.stock(sale.starts_at))[0] == 100
    assert await inventory.sold_among(sale.starts_at, [1, 100, 101]) == [True, True, False]
    assert await inventory.sold_among(sale.starts_at - 1, [1, 100, 101]) is None
    await inventory.close()


async def test_too_many_callers_are_refused_and_the_rest_served(
    redis_settings: Settings, sale: Sale
) -> None:
    inventory = Inventory(dataclasses.replace(redis_settings, waiting_max=5))
    await inventory.open(sale)
    told = await asyncio.gather(
        *(inventory.claim(code(sale, n, item=n)) for n in range(1, 9)), return_exceptions=True
    )
    assert [getattr(verdict, "word", None) for verdict in told[:5]] == ["claimed"] * 5
    assert {type(verdict) for verdict in told[5:]} == {Overloaded}
    await inventory.close()


async def test_overdue_claims_come_back_as_what_they_would_have_become(
    redis_settings: Settings, sale: Sale
) -> None:
    inventory = Inventory(dataclasses.replace(redis_settings, lease_ms=-1))
    await inventory.open(sale)
    await inventory.claim(code(sale, 1, item=7, buyer="ann.a@b:c-d_e"))
    assert await inventory.overdue(sale.starts_at, most=9) == [
        Sold(sale.starts_at, 7, nonce(1), "ann.a@b:c-d_e")
    ]
    assert await inventory.release(sale.starts_at, [(nonce(1), 7)]) == 1
    assert await inventory.release(sale.starts_at, []) == 0
    assert await inventory.overdue(sale.starts_at, most=9) == []
    await inventory.close()
