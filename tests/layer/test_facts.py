"""What can't change any more is answered without Redis, and kept like any other attempt."""

import dataclasses
from collections.abc import Callable

import pytest
import redis
from flashsale.bootstrap import Service
from flashsale.config import Settings
from flashsale.errors import LimitExceeded, SoldOut
from flashsale.facts import Facts

from tests.conftest import Rows

HOUR = 3_600
NOON_MS = 600_000  # ten minutes into the sale that starts at 0


def learned(*words: str) -> Facts:
    facts = Facts(HOUR)
    for word in words:
        facts.learn(0, item=7, buyer="ann", word=word)
    return facts


@pytest.mark.parametrize(
    ("item", "buyer", "word"),
    [
        (7, "bob", "sold_out"),
        (8, "bob", None),
        (8, "ann", "limit_exceeded"),
        (7, "ann", "limit_exceeded"),
    ],
)
def test_what_was_learned_refuses_the_same_and_nobody_else(
    item: int, buyer: str, word: str | None
) -> None:
    facts = learned("available", "sold_out", "limit_exceeded")
    assert facts.refusal(0, item=item, buyer=buyer, now_ms=NOON_MS) == word


def test_what_is_available_now_is_no_fact() -> None:
    assert learned("available").refusal(0, item=7, buyer="bob", now_ms=NOON_MS) is None


@pytest.mark.parametrize("now_ms", [-1, 0, 1_999, 3_598_000, 3_600_000])
def test_at_the_sale_s_edges_redis_is_asked(now_ms: int) -> None:
    assert learned("sold_out").refusal(0, item=7, buyer="bob", now_ms=now_ms) is None


def test_the_next_sale_begins_with_nothing_and_the_last_one_is_forgotten() -> None:
    facts = learned("sold_out")
    assert facts.refusal(HOUR, item=7, buyer="bob", now_ms=NOON_MS + HOUR * 1_000) is None
    facts.learn(HOUR, item=9, buyer="cat", word="sold_out")
    facts.learn(0, item=8, buyer="ann", word="sold_out")  # an answer that took its time
    assert facts.refusal(0, item=7, buyer="bob", now_ms=NOON_MS) is None
    assert facts.refusal(HOUR, item=8, buyer="bob", now_ms=NOON_MS + HOUR * 1_000) is None
    assert facts.refusal(HOUR, item=9, buyer="bob", now_ms=NOON_MS + HOUR * 1_000) == "sold_out"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A sale lasts a day here, so that no hour ends in the middle of a test, and is a small one."""
    return dataclasses.replace(settings, sale_seconds=86_400, items_per_sale=500)


async def test_a_second_refusal_asks_redis_nothing_and_is_kept(
    service: Service, redis_client: "redis.Redis", query: Callable[..., Rows]
) -> None:
    async def refused(buyer: str, item: int, kind: type[Exception]) -> None:
        with pytest.raises(kind):
            await service.shop.checkout(buyer=buyer, item=item)

    def scripts() -> int:
        return sum(
            int(told["calls"])
            for name, told in redis_client.info("commandstats").items()
            if name == "cmdstat_evalsha"
        )

    for item in range(1, 11):
        session = await service.shop.checkout(buyer="ann", item=item)
        await service.shop.purchase(session.code)
    await service.background.settled()
    await refused("bob", 7, SoldOut)
    await refused("ann", 11, LimitExceeded)
    before = scripts()
    await refused("cat", 7, SoldOut)
    await refused("ann", 11, LimitExceeded)
    assert scripts() == before
    kept = query("select buyer, outcome from attempts where outcome <> 'available' order by at")
    assert kept == [
        ["bob", "sold_out"], ["ann", "limit_exceeded"],
        ["cat", "sold_out"], ["ann", "limit_exceeded"],
    ]  # fmt: skip
