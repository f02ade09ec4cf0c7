"""While one of the stores is away: what still works, what is refused, and that it is the truth."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable

import pytest
import redis
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.config import Settings
from flashsale.degraded import Degraded
from flashsale.errors import LimitExceeded, Overloaded, SoldOut, Unavailable
from flashsale.inventory.script import sale_key
from flashsale.invocation import Invocation

from tests.conftest import Rows


@pytest.fixture
async def without_redis(settings: Settings, service: Service) -> AsyncIterator[Service]:
    """A second process of the same service, cut off from Redis."""
    made = bootstrap.build(dataclasses.replace(settings, redis_addr="127.0.0.1:1"))
    yield made
    await made.close()


@pytest.fixture
async def without_postgres(settings: Settings, service: Service) -> AsyncIterator[Service]:
    """A second process of the same service, cut off from PostgreSQL."""
    made = bootstrap.build(dataclasses.replace(settings, db_port=1))
    yield made
    await made.close()


async def buy(service: Service, item: int, *, buyer: str = "ann") -> str:
    session = await service.shop.checkout(buyer=buyer, item=item)
    return await service.shop.purchase(session.code)


async def test_without_redis_a_crowd_buys_and_every_promise_holds(
    without_redis: Service, query: Callable[..., Rows]
) -> None:
    answers = await asyncio.gather(
        *(buy(without_redis, item, buyer=f"buyer-{n}") for n in range(3) for item in range(1, 21)),
        return_exceptions=True,
    )
    sold = [answer for answer in answers if isinstance(answer, str)]
    assert len(sold) == 20
    assert all(isinstance(a, SoldOut | LimitExceeded) for a in answers if not isinstance(a, str))
    assert query("select count(distinct item), count(*) from purchases") == [[20, 20]]
    assert without_redis.shop.degraded.total > 0


async def test_without_redis_the_limit_and_repeats_are_the_same(without_redis: Service) -> None:
    sessions = [await without_redis.shop.checkout(buyer="ann", item=n) for n in range(1, 12)]
    ids = [await without_redis.shop.purchase(session.code) for session in sessions[:10]]
    with pytest.raises(LimitExceeded):
        await without_redis.shop.purchase(sessions[10].code)
    with pytest.raises(LimitExceeded):
        await without_redis.shop.checkout(buyer="ann", item=99)
    assert [await without_redis.shop.purchase(session.code) for session in sessions[:10]] == ids


async def test_what_was_sold_without_redis_is_known_to_it_by_the_first_who_asks(
    service: Service, without_redis: Service, redis_client: redis.Redis
) -> None:
    await buy(without_redis, 5)
    late = await service.shop.checkout(buyer="bob", item=5)  # Redis does not know yet
    with pytest.raises(SoldOut):
        await service.shop.purchase(late.code)
    await service.background.settled()
    with pytest.raises(SoldOut):
        await service.shop.checkout(buyer="eve", item=5)


async def test_stats_and_items_tell_the_truth_without_redis(without_redis: Service) -> None:
    await buy(without_redis, 5)
    assert (await without_redis.sales.stock()).sold == 1
    sale = without_redis.sales.current()
    assert await without_redis.sales.sold_among(sale, [4, 5, 6]) == [False, True, False]


async def test_without_postgres_a_purchase_is_refused_before_it_claims_anything(
    without_postgres: Service, redis_client: redis.Redis
) -> None:
    session = await without_postgres.shop.checkout(buyer="ann", item=5)
    claims = sale_key(without_postgres.sales.current().starts_at, "claims")
    for _ in range(5):
        with pytest.raises(Unavailable):
            await without_postgres.shop.purchase(session.code)
        await without_postgres.background.settled()
        assert not redis_client.exists(claims)
    assert without_postgres.ledger.breaker.state == "open"


async def test_a_refused_purchase_succeeds_by_the_same_code_when_postgres_is_back(
    service: Service, without_postgres: Service
) -> None:
    session = await without_postgres.shop.checkout(buyer="ann", item=5)
    with pytest.raises(Unavailable):
        await without_postgres.shop.purchase(session.code)
    assert await service.shop.purchase(session.code)


async def test_a_run_without_faults_has_no_degraded_answer(service: Service) -> None:
    await asyncio.gather(*(buy(service, item, buyer=f"b{item}") for item in range(1, 200)))
    assert service.shop.degraded.total == 0


def test_only_so_many_calls_do_without_redis_at_once() -> None:
    degraded = Degraded(most=1)
    with degraded.one(), pytest.raises(Overloaded), degraded.one():
        pass
    with degraded.one():
        assert degraded.total == 2


async def test_a_degraded_answer_is_marked_for_its_own_log_line_alone() -> None:
    with Invocation(1) as first, Degraded(most=1).one():
        pass
    with Invocation(1) as second:
        pass
    assert (first.degraded, second.degraded) == (True, False)


async def test_health_shows_the_breakers(without_postgres: Service) -> None:
    for _ in range(3):
        checks = await without_postgres.health.check()
    assert (checks["redis"].status, checks["redis"].breaker) == ("up", "closed")
    assert (checks["postgres"].status, checks["postgres"].breaker) == ("down", "open")
    assert "127.0.0.1" not in json.dumps(checks["postgres"].problems)
