"""A worker died, or Redis forgot: what was sold stays sold, and what was not can be bought."""

import asyncio
import dataclasses
from collections.abc import Callable

import pytest
import redis
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.config import Settings
from flashsale.errors import CodeExpired, LimitExceeded, SoldOut
from flashsale.inventory.script import sale_key
from flashsale.sales import Reconciled

from tests.conftest import Rows
from tests.layer.conftest import abandoned

Query = Callable[..., Rows]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A sale lasts a day here, so that no hour ends in the middle of a test, and is a small one."""
    return dataclasses.replace(settings, sale_seconds=86_400, items_per_sale=500)


async def test_an_abandoned_claim_is_given_back_and_its_code_never_sells(
    service: Service, query: Query, lapse: Callable[..., None]
) -> None:
    text, _ = await abandoned(service, "ann", 7)
    assert await service.sales.reconcile() == Reconciled(0, 0)
    lapse(7)
    assert await service.sales.reconcile() == Reconciled(confirmed=0, released=1)
    assert await service.sales.reconcile() == Reconciled(0, 0)
    session = await service.shop.checkout(buyer="bob", item=7)
    assert await service.shop.purchase(session.code)
    with pytest.raises(CodeExpired):
        await service.shop.purchase(text)
    assert query("select buyer, state from purchases order by buyer") == [
        ["ann", "void"], ["bob", "sold"]
    ]  # fmt: skip


async def test_whoever_wants_an_abandoned_item_has_it_given_back(
    service: Service, lapse: Callable[..., None]
) -> None:
    session = await service.shop.checkout(buyer="bob", item=7)
    await abandoned(service, "ann", 7)
    lapse(7)
    assert await service.shop.purchase(session.code)


async def test_an_abandoned_claim_whose_code_is_sent_again_in_time_goes_on(
    service: Service, lapse: Callable[..., None]
) -> None:
    text, code = await abandoned(service, "ann", 7)
    lapse(7)
    assert await service.shop.purchase(text) == code.purchase_id
    await service.background.settled()
    assert await service.sales.reconcile() == Reconciled(0, 0)


async def test_a_claim_whose_row_did_sell_is_confirmed_and_never_given_back(
    service: Service, lapse: Callable[..., None]
) -> None:
    """The worker died between the commit and the confirmation."""
    late = await service.shop.checkout(buyer="bob", item=7)
    text, code = await abandoned(service, "ann", 7)
    await service.ledger.purchase(code)
    lapse(7)
    assert (await service.sales.reconcile()).released == 0
    with pytest.raises(SoldOut):
        await service.shop.purchase(late.code)
    assert await service.shop.purchase(text) == code.purchase_id
    assert (await service.sales.stock()).sold == 1


async def test_three_hundred_abandoned_claims_are_settled_in_one_run(
    service: Service, lapse: Callable[..., None]
) -> None:
    held = await asyncio.gather(*(abandoned(service, f"b{item}", item) for item in range(1, 301)))
    await asyncio.gather(*(service.ledger.purchase(code) for _, code in held[:100]))
    lapse(*range(1, 301))
    assert (await service.sales.reconcile()).released == 200
    assert (await service.sales.stock()).sold == 100
    assert await service.sales.reconcile() == Reconciled(0, 0)


async def test_abandoned_claims_count_against_nobody_once_they_are_given_back(
    service: Service, lapse: Callable[..., None]
) -> None:
    for item in range(1, 11):
        await abandoned(service, "ann", item)
    lapse(*range(1, 11))
    await service.sales.reconcile()
    for item in range(11, 21):
        session = await service.shop.checkout(buyer="ann", item=item)
        assert await service.shop.purchase(session.code)


async def test_a_redis_that_forgot_all_is_told_again_and_sells_nothing_twice(
    service: Service, redis_client: "redis.Redis", query: Query
) -> None:
    waiting = [await service.shop.checkout(buyer="bob", item=item) for item in range(1, 31)]
    for item in range(1, 11):
        session = await service.shop.checkout(buyer="ann", item=item)
        await service.shop.purchase(session.code)
    await service.background.settled()
    redis_client.flushall()
    answers = await asyncio.gather(
        *(service.shop.purchase(session.code) for session in waiting), return_exceptions=True
    )
    assert {type(answer) for answer in answers[:10]} == {SoldOut}
    assert sum(isinstance(answer, str) for answer in answers) == 10
    assert sum(isinstance(answer, LimitExceeded) for answer in answers) == 10
    with pytest.raises(LimitExceeded):
        await service.shop.checkout(buyer="ann", item=99)
    await service.background.settled()
    assert (await service.sales.stock()).sold == 20
    assert query("select count(*), count(distinct item) from purchases") == [[20, 20]]
    assert service.shop.degraded.total == 0


async def test_stats_and_items_are_right_at_once_after_redis_forgot(
    service: Service, redis_client: "redis.Redis"
) -> None:
    session = await service.shop.checkout(buyer="ann", item=7)
    await service.shop.purchase(session.code)
    await service.background.settled()
    sale = service.sales.current()
    redis_client.flushall()
    assert await service.sales.sold_among(sale, [6, 7, 8]) == [False, True, False]
    redis_client.flushall()
    assert (await service.sales.stock()).sold == 1


async def test_five_services_that_find_redis_empty_open_one_sale(
    settings: Settings, query: Query
) -> None:
    """The schedule never fired, and everybody comes at once."""
    services = [bootstrap.build(settings) for _ in range(5)]
    sessions = await asyncio.gather(
        *(
            service.shop.checkout(buyer=f"b{number}", item=number * 10 + item)
            for number, service in enumerate(services)
            for item in range(1, 6)
        )
    )
    assert len(sessions) == 25
    assert query("select count(*) from sales") == [[1]]
    assert query("select count(*) from items") == [[500]]
    for service in services:
        await service.close()


async def test_a_redis_that_knows_nothing_of_a_limit_is_taught_it(
    service: Service, redis_client: "redis.Redis"
) -> None:
    """It lost the last confirmations, and still thinks it knows everything."""
    starts_at = service.sales.current().starts_at
    sessions = [await service.shop.checkout(buyer="ann", item=item) for item in range(1, 12)]
    for session in sessions[:10]:
        await service.shop.purchase(session.code)
    await service.background.settled()
    for name in ("claims", "buyers", "pending"):
        redis_client.delete(sale_key(starts_at, name))
    with pytest.raises(LimitExceeded):
        await service.shop.purchase(sessions[10].code)
    await service.background.settled()
    with pytest.raises(LimitExceeded):
        await service.shop.checkout(buyer="ann", item=99)
    assert (await service.sales.stock()).sold == 10


async def test_a_redis_that_knows_nothing_of_a_sold_item_is_taught_it(
    service: Service, redis_client: "redis.Redis"
) -> None:
    late = await service.shop.checkout(buyer="bob", item=7)
    await service.shop.purchase((await service.shop.checkout(buyer="ann", item=7)).code)
    await service.background.settled()
    for name in ("claims", "buyers", "pending"):
        redis_client.delete(sale_key(service.sales.current().starts_at, name))
    with pytest.raises(SoldOut):
        await service.shop.purchase(late.code)
    await service.background.settled()
    with pytest.raises(SoldOut):
        await service.shop.checkout(buyer="cid", item=7)
    assert (await service.sales.stock()).sold == 1
