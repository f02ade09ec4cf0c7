"""Attempts that wait in Redis: kept, moved once, and never in each other's way."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.config import Settings
from flashsale.errors import Overloaded
from flashsale.inventory.script import sale_key
from flashsale.inventory.stream import DEAD_CONSUMER_MS, GROUP
from flashsale.model import Attempt

from tests.conftest import Rows

Query = Callable[..., Rows]


@pytest.fixture
async def streaming(settings: Settings) -> AsyncIterator[Service]:
    """A service in stream mode."""
    made = bootstrap.build(dataclasses.replace(settings, attempts_mode="stream", stream_max=50))
    await made.sales.open_due()
    yield made
    await made.close()


def key(service: Service) -> str:
    return sale_key(service.sales.current().starts_at, "attempts")


def attempt(service: Service, number: int, *, buyer: str = "ann") -> Attempt:
    return Attempt(
        at_ms=service.sales.now_ms(),
        nonce=f"{number:032x}",
        starts_at=service.sales.current().starts_at,
        buyer=buyer,
        item=7,
        outcome="available",
    )


def entries(client: Any, stream: str) -> list[Any]:
    return [fields for _, fields in client.xrange(stream)]


async def test_stream_mode_keeps_attempts_in_redis_and_moves_them_once(
    streaming: Service, query: Query, redis_client: redis.Redis
) -> None:
    for item in range(1, 6):
        await streaming.shop.checkout(buyer="ann", item=item)
    assert query("select count(*) from attempts") == [[0]]
    assert redis_client.xlen(key(streaming)) == 5

    moved = await streaming.attempts.persist(time.time())
    assert (moved.moved, moved.dead) == (5, 0)
    assert query("select item, outcome from attempts order by item") == [
        [item, "available"] for item in range(1, 6)
    ]
    assert redis_client.xlen(key(streaming)) == 0
    assert (await streaming.attempts.persist(time.time())).moved == 0


async def test_a_full_stream_refuses_and_keeps_all_that_it_has(
    streaming: Service, redis_client: redis.Redis
) -> None:
    for number in range(50):
        await streaming.shop.checkout(buyer=f"buyer-{number}", item=1)
    with pytest.raises(Overloaded):
        await streaming.shop.checkout(buyer="late", item=1)
    assert redis_client.xlen(key(streaming)) == 50
    await streaming.attempts.persist(time.time())
    await streaming.shop.checkout(buyer="late", item=1)


async def test_two_runs_at_once_move_each_attempt_once(
    streaming: Service, settings: Settings, query: Query
) -> None:
    await asyncio.gather(*(streaming.shop.checkout(buyer="ann", item=n) for n in range(1, 41)))
    other = bootstrap.build(settings)
    runs = await asyncio.gather(
        streaming.attempts.persist(time.time()), other.attempts.persist(time.time())
    )
    await other.close()
    assert sum(run.moved for run in runs) == 40
    assert query("select count(*) from attempts") == [[40]]


async def test_what_a_dead_consumer_took_is_taken_over(
    streaming: Service, query: Query, redis_client: Any
) -> None:
    """It read and died before it wrote: after a minute its entries are somebody else's."""
    await streaming.shop.checkout(buyer="ann", item=1)
    redis_client.xgroup_create(key(streaming), GROUP, "0")
    redis_client.xreadgroup(GROUP, "dead", {key(streaming): ">"})
    assert (await streaming.attempts.persist(time.time())).moved == 0
    (pending,) = redis_client.xpending_range(key(streaming), GROUP, "-", "+", 10)
    redis_client.xclaim(
        key(streaming),
        GROUP,
        "dead",
        0,
        [pending["message_id"]],
        idle=DEAD_CONSUMER_MS + 1,
        justid=True,
    )
    assert (await streaming.attempts.persist(time.time())).moved == 1
    assert query("select buyer from attempts") == [["ann"]]


async def test_moved_and_not_forgotten_is_moved_again_and_kept_once(
    streaming: Service, query: Query, redis_client: redis.Redis
) -> None:
    """The crash between PostgreSQL's commit and the removal from the stream."""
    await streaming.shop.checkout(buyer="ann", item=1)
    copy = entries(redis_client, key(streaming))[0]
    await streaming.attempts.persist(time.time())
    redis_client.xadd(key(streaming), copy)
    assert (await streaming.attempts.persist(time.time())).moved == 1
    assert query("select count(*) from attempts") == [[1]]


@pytest.mark.parametrize(
    "poison",
    [
        {"buyer": "a\x00b"},
        {"buyer": "x" * 70_000},
        {"item": "99999999999"},
        {"item": "seven"},
        {"outcome": "stolen"},
        {"at_ms": "0000000000000"},
        {"code": "not hex"},
        {"nothing": "of ours"},
    ],
    ids=str,
)
async def test_a_bad_entry_is_put_aside_and_its_neighbours_are_kept(
    streaming: Service, query: Query, redis_client: Any, poison: dict[str, str]
) -> None:
    await streaming.shop.checkout(buyer="before", item=1)
    good = entries(redis_client, key(streaming))[0]
    bad = poison if "nothing" in poison else {**good, **{k.encode(): v for k, v in poison.items()}}
    redis_client.xadd(key(streaming), bad)
    await streaming.shop.checkout(buyer="after", item=2)

    done = await streaming.attempts.persist(time.time())
    assert (done.moved, done.dead) == (2, 1)
    assert query("select buyer from attempts order by buyer") == [["after"], ["before"]]
    assert query("select count(*) from dead_attempts") == [[1]]
    assert redis_client.xlen(key(streaming)) == 0


async def test_while_postgresql_is_away_attempts_wait_and_nothing_acknowledged_is_lost(
    service: Service, settings: Settings, query: Query
) -> None:
    """Ledger mode: the checkout is granted, the attempt follows when PostgreSQL is back."""
    cut_off = bootstrap.build(dataclasses.replace(settings, db_port=1))
    sessions = [await cut_off.shop.checkout(buyer="ann", item=item) for item in range(1, 9)]
    await cut_off.close()
    assert len({session.code for session in sessions}) == 8
    assert query("select count(*) from attempts") == [[0]]
    assert await service.attempts.lag(time.time()) == 8
    assert (await service.attempts.persist(time.time())).moved == 8
    assert query("select count(*) from attempts") == [[8]]


async def test_attempts_outlive_their_sale_by_a_week(
    streaming: Service, redis_client: redis.Redis
) -> None:
    await streaming.shop.checkout(buyer="ann", item=1)
    assert redis_client.ttl(key(streaming)) > 7 * 24 * 3_600
