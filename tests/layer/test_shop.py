"""What buyers are told: checkouts, purchases and every way to be refused, on real stores."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import redis
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.codes import CodeSigner
from flashsale.config import Settings
from flashsale.errors import (
    Busy,
    LimitExceeded,
    Overloaded,
    SoldOut,
    UnknownItem,
)
from flashsale.inventory.script import sale_key

from tests.conftest import CODE_KEYS, Rows

Query = Callable[..., Rows]
WaitUntil = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
SIGNER = CodeSigner.parse(CODE_KEYS)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A sale lasts a day here, so that no hour ends in the middle of a test, and is a small one."""
    return dataclasses.replace(settings, sale_seconds=86_400, items_per_sale=500)


@pytest.fixture
async def service(service: Service) -> AsyncIterator[Service]:
    """Without a fault no answer may do without Redis."""
    yield service
    assert service.shop.degraded.total == 0


async def buy(service: Service, buyer: str, item: int) -> str:
    session = await service.shop.checkout(buyer=buyer, item=item)
    return await service.shop.purchase(session.code)


async def test_a_code_buys_the_item_that_was_asked_for(service: Service, query: Query) -> None:
    session = await service.shop.checkout(buyer="ann", item=7)
    code = SIGNER.read(session.code)
    assert (code.buyer, code.item, code.expires_at) == ("ann", 7, session.expires_at)
    assert await service.shop.purchase(session.code) == code.purchase_id
    assert query("select replace(code_id::text, '-', ''), buyer, item, slot from purchases") == [
        [code.nonce, "ann", 7, 1]
    ]


async def test_fifty_at_once_and_a_late_one_hear_the_same_id_and_sell_one_item(
    service: Service, query: Query
) -> None:
    session = await service.shop.checkout(buyer="ann", item=7)
    ids = await asyncio.gather(*(service.shop.purchase(session.code) for _ in range(50)))
    await service.background.settled()
    ids.append(await service.shop.purchase(session.code))
    assert len(set(ids)) == 1
    assert query("select purchase_id from purchases") == [[ids[0]]]


async def test_after_ten_items_the_eleventh_is_refused_twice(service: Service) -> None:
    """At the purchase of the code that was given before, and at the next checkout."""
    sessions = [await service.shop.checkout(buyer="ann", item=item) for item in range(1, 12)]
    for session in sessions[:10]:
        await service.shop.purchase(session.code)
    await service.background.settled()
    with pytest.raises(LimitExceeded):
        await service.shop.purchase(sessions[10].code)
    with pytest.raises(LimitExceeded):
        await service.shop.checkout(buyer="ann", item=99)
    assert await buy(service, "bob", 11)


@pytest.mark.parametrize("many", [11, 30])
async def test_of_many_codes_at_once_ten_sell_and_the_rest_are_refused_for_good(
    service: Service, query: Query, many: int
) -> None:
    sessions = [await service.shop.checkout(buyer="ann", item=item) for item in range(1, many + 1)]
    answers = await asyncio.gather(
        *(service.shop.purchase(session.code) for session in sessions), return_exceptions=True
    )
    assert sum(isinstance(answer, str) for answer in answers) == 10
    assert sum(isinstance(answer, LimitExceeded) for answer in answers) == many - 10
    assert query("select count(*), count(distinct slot) from purchases") == [[10, 10]]
    await service.background.settled()
    assert (await service.sales.stock()).sold == 10


async def test_a_sold_item_is_refused_at_checkout_and_to_codes_given_before(
    service: Service,
) -> None:
    early = await service.shop.checkout(buyer="bob", item=7)
    await buy(service, "ann", 7)
    await service.background.settled()
    with pytest.raises(SoldOut):
        await service.shop.purchase(early.code)
    with pytest.raises(SoldOut):
        await service.shop.checkout(buyer="bob", item=7)


@pytest.mark.parametrize("item", [0, 501, 10**9])
async def test_an_item_that_no_sale_has_is_unknown(service: Service, item: int) -> None:
    with pytest.raises(UnknownItem):
        await service.shop.checkout(buyer="ann", item=item)


async def test_every_attempt_to_check_out_is_kept_with_its_outcome(
    service: Service, query: Query
) -> None:
    for item in range(1, 11):
        await buy(service, "ann", item)
    await service.background.settled()
    with pytest.raises(LimitExceeded):
        await service.shop.checkout(buyer="ann", item=20)
    with pytest.raises(SoldOut):
        await service.shop.checkout(buyer="bob", item=1)
    await service.shop.checkout(buyer="bob", item=20)
    kept = query("select buyer, item, outcome from attempts order by at, item")
    assert sorted(map(list, kept[:10])) == [["ann", item, "available"] for item in range(1, 11)]
    assert sorted(map(list, kept[10:])) == [
        ["ann", 20, "limit_exceeded"],
        ["bob", 1, "sold_out"],
        ["bob", 20, "available"],
    ]
    starts_at = service.sales.current().starts_at
    assert query("select distinct extract(epoch from sale)::bigint from attempts") == [[starts_at]]


async def test_an_item_held_by_another_is_busy_and_no_refusal(service: Service) -> None:
    """The other one's code was claimed, and its worker died."""
    held = await service.shop.checkout(buyer="ann", item=7)
    text = (await service.shop.checkout(buyer="bob", item=7)).code
    assert (await service.inventory.claim(SIGNER.read(held.code))).word == "claimed"
    with pytest.raises(Busy):
        await service.shop.purchase(text)
    await service.background.settled()
    assert await service.shop.purchase(held.code)
    with pytest.raises(SoldOut):
        await service.shop.purchase(text)


async def test_a_purchase_too_many_for_the_ledger_leaves_the_item_free(
    settings: Settings, query: Query, redis_client: "redis.Redis", wait_until: WaitUntil
) -> None:
    """One purchase is being decided, one waits, and the third finds no room."""
    service = bootstrap.build(dataclasses.replace(settings, waiting_max=1))
    await service.sales.open_due()
    texts = [(await service.shop.checkout(buyer="ann", item=item)).code for item in (1, 2, 3)]
    claims = sale_key(service.sales.current().starts_at, "claims")
    await service.ledger.purchase(dataclasses.replace(SIGNER.read(texts[0]), item=9))
    query("begin")
    query("lock table purchases in access exclusive mode")
    waiting = []
    for item, text in ((1, texts[0]), (2, texts[1])):
        waiting.append(asyncio.ensure_future(service.shop.purchase(text)))

        async def is_claimed(item: int = item) -> bool:
            return bool(redis_client.hexists(claims, str(item)))

        await wait_until(is_claimed)
    with pytest.raises(Overloaded):
        await service.shop.purchase(texts[2])
    query("rollback")
    await asyncio.gather(*waiting)
    await service.background.settled()
    assert not redis_client.hexists(claims, "3")
    assert await service.shop.purchase(texts[2])
    await service.close()
