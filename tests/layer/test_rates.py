"""Rate limits: the process's own buckets, rates.lua's for all processes, and what a buyer hears."""

import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import redis
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.config import Settings
from flashsale.errors import RateLimited, SoldOut
from flashsale.inventory.script import sale_key
from flashsale.model import Caller
from flashsale.rates import Rates

from tests.layer.conftest import Gate

KEY = b"k" * 32
SECOND_US = 1_000_000


def rates(clock: Callable[[], float] = lambda: 1_000.0, **limits: Any) -> Rates:
    return Rates(Settings(**{"rate_buyer": 0, **limits}), key=lambda: KEY, clock=clock)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


# In the process


def test_a_burst_passes_and_then_one_in_each_interval() -> None:
    clock = Clock()
    ours = rates(clock, rate_buyer=10, rate_buyer_burst=3)
    bucket = ours.buckets("checkout", buyer="ann", address="")
    for _ in range(3):
        ours.admit(bucket)
    with pytest.raises(RateLimited) as refused:
        ours.admit(bucket)
    assert (refused.value.kind, refused.value.burst) == ("buyer", 3)
    clock.now += 0.1
    ours.admit(bucket)
    with pytest.raises(RateLimited):
        ours.admit(bucket)
    clock.now += 3_600  # a bucket never holds more than its burst
    for _ in range(3):
        ours.admit(bucket)
    with pytest.raises(RateLimited):
        ours.admit(bucket)


def test_who_is_refused_is_told_how_long_to_wait() -> None:
    ours = rates(rate_buyer=1, rate_buyer_burst=1)
    bucket = ours.buckets("checkout", buyer="ann", address="")
    ours.admit(bucket)
    with pytest.raises(RateLimited) as refused:
        ours.admit(bucket)
    assert refused.value.retry_after_seconds == 2  # 1,000 ms and a bit, in whole seconds


def test_a_refusal_spends_nothing_of_any_bucket() -> None:
    ours = rates(rate_buyer=1, rate_buyer_burst=1, rate_address=1, rate_address_burst=2)
    ours.admit(ours.buckets("checkout", buyer="ann", address="10.0.0.1"))
    for _ in range(5):
        with pytest.raises(RateLimited):
            ours.admit(ours.buckets("checkout", buyer="ann", address="10.0.0.1"))
    ours.admit(ours.buckets("checkout", buyer="bob", address="10.0.0.1"))
    with pytest.raises(RateLimited) as refused:
        ours.admit(ours.buckets("checkout", buyer="eve", address="10.0.0.1"))
    assert refused.value.kind == "address"


def test_buyers_and_actions_and_addresses_have_buckets_of_their_own() -> None:
    ours = rates(rate_buyer=1, rate_address=1, rate_all=1)
    assert len(ours.buckets("checkout", buyer="ann", address="a")) == 3
    checkout, purchase, bob = (
        ours.buckets(action, buyer=buyer, address="a")
        for action, buyer in (("checkout", "ann"), ("purchase", "ann"), ("checkout", "bob"))
    )
    assert checkout[1:] == purchase[1:] == bob[1:]
    assert len({checkout[0], purchase[0], bob[0]}) == 3


def test_a_limit_of_nought_is_off_and_costs_no_bucket() -> None:
    ours = rates()
    assert ours.active == ()
    assert ours.buckets("checkout", buyer="ann", address="a") == ()
    ours.admit(())


def test_buckets_are_few_and_who_shares_one_depends_on_the_key() -> None:
    """A flood of invented names takes bounded memory, and nobody can aim at another's bucket."""
    ours, others = rates(rate_buyer=1), Rates(Settings(rate_buyer=1), key=lambda: b"x" * 32)
    names = [f"bot-{n}" for n in range(200_000)]
    dealt = {ours.buckets("checkout", buyer=name, address="")[0] for name in names}
    assert 60_000 < len(dealt) <= 65_536
    same = sum(
        ours.buckets("checkout", buyer=name, address="")
        == others.buckets("checkout", buyer=name, address="")
        for name in names[:1_000]
    )
    assert same < 10


def test_what_is_over_is_forgotten() -> None:
    clock = Clock()
    ours = rates(clock, rate_buyer=1_000)
    for n in range(50_000):
        ours.admit((f"b{n}",))
    clock.now += 10
    ours.admit(("last",))
    assert len(ours._spent) < 10


# In Redis


def by_buyer(buyer: str) -> tuple[str, ...]:
    return (f"b-{buyer}",)


async def test_a_batch_is_counted_request_by_request(gate: Gate) -> None:
    await gate.open()
    told = await gate.checkout(
        *(("ann", item) for item in range(1, 5)), ("bob", 5),
        rate_limits=f"{SECOND_US} 3", buckets=by_buyer,
    )  # fmt: skip
    assert told[:3] == ["available"] * 3
    assert told[4] == "available"
    word, limit, wait_ms = told[3].split()
    assert (word, limit) == ("rate_limited", "1")
    assert 900 <= int(wait_ms) <= 1_000


async def test_a_bucket_refills_by_redis_s_clock(gate: Gate, redis_client: redis.Redis) -> None:
    await gate.open()
    limits = f"{SECOND_US} 2"
    assert (
        await gate.checkout(("ann", 1), ("ann", 2), rate_limits=limits, buckets=by_buyer)
        == ["available"] * 2
    )
    (refused,) = await gate.checkout(("ann", 3), rate_limits=limits, buckets=by_buyer)
    assert refused.startswith("rate_limited")
    spent = int(redis_client.hget(gate.key("rates"), "b-ann"))  # type: ignore[arg-type]
    redis_client.hset(gate.key("rates"), "b-ann", spent - SECOND_US)  # a second goes by
    assert await gate.checkout(("ann", 3), rate_limits=limits, buckets=by_buyer) == ["available"]
    (refused,) = await gate.checkout(("ann", 4), rate_limits=limits, buckets=by_buyer)
    assert refused.startswith("rate_limited")


async def test_the_limit_that_is_broken_is_named_and_no_other_is_spent(
    gate: Gate, redis_client: redis.Redis
) -> None:
    await gate.open()
    limits = f"{SECOND_US} 5 {SECOND_US} 1"

    def buckets(buyer: str) -> tuple[str, ...]:
        return (f"b-{buyer}", "address")

    told = await gate.checkout(
        ("ann", 1), ("bob", 2), ("ann", 3), rate_limits=limits, buckets=buckets
    )
    assert [word.split()[:2] for word in told[1:]] == [["rate_limited", "2"]] * 2
    assert redis_client.hexists(gate.key("rates"), "b-bob") is False


async def test_a_claim_that_is_refused_holds_nothing(gate: Gate) -> None:
    await gate.open()
    claims = [(n, "ann", n) for n in range(1, 4)]
    told = await gate.claim(*claims, rate_limits=f"{SECOND_US} 2", buckets=by_buyer)
    assert told[:2] == ["claimed"] * 2
    assert told[2].startswith("rate_limited 1 ")
    assert gate.counts("ann") == "2 0"
    assert b"3" not in gate.state()["claims"]


async def test_in_stream_mode_a_refused_request_is_no_attempt(gate: Gate) -> None:
    await gate.open()
    await gate.checkout(
        ("ann", 1), ("ann", 2), stream_max=10, rate_limits=f"{SECOND_US} 1", buckets=by_buyer
    )
    (only,) = gate.state()["attempts"]
    assert only[1][b"item"] == b"1"


async def test_three_limits_for_a_thousand_requests_fit_in_one_call(gate: Gate) -> None:
    await gate.open()
    told = await gate.checkout(
        *((f"b{n}", n) for n in range(1, 1_001)),
        rate_limits=f"{SECOND_US} 1 {SECOND_US} 1 1 {SECOND_US}",
        buckets=lambda buyer: (buyer, f"a-{buyer}", "all"),
    )
    assert told == ["available"] * 1_000


async def test_a_full_redis_counts_nobody_and_answers_all_the_same(
    gate: Gate, redis_client: redis.Redis
) -> None:
    await gate.open()
    redis_client.config_set("maxmemory", "1mb")
    try:
        told = await gate.checkout(("ann", 1), rate_limits=f"{SECOND_US} 1", buckets=by_buyer)
    finally:
        redis_client.config_set("maxmemory", "0")
    assert told == ["available"]
    assert not redis_client.exists(gate.key("rates"))


# In the shop


@pytest.fixture
def limited(settings: Settings) -> Settings:
    return dataclasses.replace(settings, rate_buyer=1, rate_buyer_burst=3)


@pytest.fixture
async def two(limited: Settings) -> AsyncIterator[Sequence[Service]]:
    """Two processes of one service."""
    made = [bootstrap.build(limited) for _ in range(2)]
    await made[0].sales.open_due()
    yield made
    for one in made:
        await one.close()


async def test_two_processes_share_a_buyer_s_bucket(
    two: Sequence[Service], query: Callable[..., Sequence[Sequence[object]]]
) -> None:
    here, there = two
    for one, item in ((here, 1), (there, 2), (here, 3)):
        await one.shop.checkout(buyer="ann", item=item)
    with pytest.raises(RateLimited) as refused:
        await there.shop.checkout(buyer="ann", item=4)
    assert (refused.value.kind, refused.value.burst) == ("buyer", 3)
    await there.shop.checkout(buyer="bob", item=4)
    # What was refused was no attempt to buy anything.
    assert list(query("select buyer, item from attempts order by item")) == [
        ["ann", 1], ["ann", 2], ["ann", 3], ["bob", 4]
    ]  # fmt: skip


async def test_a_flood_of_purchases_is_refused_and_the_code_sells_later(
    two: Sequence[Service], redis_client: redis.Redis
) -> None:
    here, there = two
    session = await here.shop.checkout(buyer="ann", item=1)
    bought = await here.shop.purchase(session.code)
    for _ in range(2):
        assert await here.shop.purchase(session.code) == bought
    with pytest.raises(RateLimited):
        await there.shop.purchase(session.code)
    redis_client.delete(sale_key(here.sales.current().starts_at, "rates"))
    assert await there.shop.purchase(session.code) == bought


async def test_a_refusal_from_memory_is_limited_too(two: Sequence[Service]) -> None:
    """Redis is not asked about what can't change any more; the process counts those itself."""
    here, _ = two
    session = await here.shop.checkout(buyer="ann", item=1)
    await here.shop.purchase(session.code)
    await here.background.settled()
    told = []
    for _ in range(5):
        with pytest.raises((SoldOut, RateLimited)) as refused:
            await here.shop.checkout(buyer="bob", item=1)
        told.append(type(refused.value).__name__)
    assert told == ["SoldOut"] * 3 + ["RateLimited"] * 2


async def test_an_address_is_limited_whoever_asks_from_it(settings: Settings) -> None:
    one = bootstrap.build(dataclasses.replace(settings, rate_address=1, rate_address_burst=2))
    await one.sales.open_due()
    try:
        caller = Caller(address="203.0.113.9")
        for buyer in ("ann", "bob"):
            await one.shop.checkout(buyer=buyer, item=1, caller=caller)
        with pytest.raises(RateLimited) as refused:
            await one.shop.checkout(buyer="eve", item=1, caller=caller)
        assert refused.value.kind == "address"
        await one.shop.checkout(buyer="eve", item=1, caller=Caller(address="203.0.113.10"))
    finally:
        await one.close()
