"""What random schedules found wrong, each shown by the shortest way; the seed is where it was."""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from flashsale import bootstrap, sales
from flashsale.bootstrap import Service
from flashsale.codes import CodeSigner
from flashsale.config import Settings
from flashsale.errors import SoldOut, StoreDown
from flashsale.model import Attempt

from tests.conftest import CODE_KEYS, Rows
from tests.faults.schedule.proxy import Proxy


@pytest.fixture
def full(redis_client: redis.Redis) -> Iterator[Callable[[], None]]:
    """Call it, and Redis has no memory left until the test is over."""
    before = redis_client.config_get("maxmemory")["maxmemory"] or "0"

    def fill() -> None:
        redis_client.config_set("maxmemory", 1)

    yield fill
    redis_client.config_set("maxmemory", before)


def attempt(service: Service) -> Attempt:
    return Attempt(
        at_ms=service.sales.now_ms(),
        nonce="5a" * 16,
        starts_at=service.sales.current().starts_at,
        buyer="ann",
        item=7,
        outcome="available",
    )


async def test_reconcile_tells_redis_of_a_sale_that_nobody_could_confirm(service: Service) -> None:
    """Seed 31: PostgreSQL sold while Redis was away, and Redis came back as it had been."""
    session = await service.shop.checkout(buyer="ann", item=7)
    sold = await service.ledger.purchase(CodeSigner.parse(CODE_KEYS).read(session.code))
    assert sold.word == "sold"
    await service.sales.reconcile()
    assert (await service.inventory.stock(service.sales.current().starts_at))[0] == 1


async def test_a_full_redis_that_should_keep_an_attempt_is_a_fault(
    service: Service, full: Callable[[], None]
) -> None:
    """Seed 184: a checkout was answered 500 while PostgreSQL was away and Redis was full."""
    full()
    with pytest.raises(StoreDown):
        await service.inventory.attempts.append(attempt(service))


async def test_attempts_leave_a_full_redis_that_has_no_room_for_their_group(
    service: Service, full: Callable[[], None], query: Callable[..., Rows]
) -> None:
    """Seed 184: what would have made room could not start."""
    await service.inventory.attempts.append(attempt(service))
    full()
    assert (await service.attempts.persist(time.time())).moved == 1
    assert query("select buyer, item from attempts") == [["ann", 7]]
    assert await service.attempts.lag(time.time()) == 0


async def test_a_stream_that_was_flushed_while_it_was_read_is_a_fault(service: Service) -> None:
    """Seed 187: between the length and the group the stream was gone."""
    with pytest.raises(StoreDown):
        await service.inventory.attempts.take(service.sales.current().starts_at, most=10)


@pytest.mark.parametrize("again", [False, True], ids=["PostgreSQL", "Redis once more"])
async def test_an_attempt_is_kept_with_the_outcome_that_was_told(
    settings: Settings, service: Service, query: Callable[..., Rows], again: bool
) -> None:
    """Seeds 465 and 1146, stream mode: Redis noted that an item could be had, its answer got lost,
    and who was asked next, PostgreSQL or Redis once more, knew that it was sold."""
    proxy = Proxy(int(settings.redis_addr.rpartition(":")[2]))
    await proxy.start()
    hearing_nothing = bootstrap.build(
        dataclasses.replace(settings, redis_addr=f"127.0.0.1:{proxy.port}", attempts_mode="stream")
    )
    try:
        await hearing_nothing.inventory.information()
        session = await service.shop.checkout(buyer="ann", item=7)

        proxy.deaf = True
        checkout = asyncio.create_task(hearing_nothing.shop.checkout(buyer="bob", item=7))
        while not await service.attempts.lag(time.time()):
            await asyncio.sleep(0)
        await service.shop.purchase(session.code)
        await service.background.settled()
        if again:
            proxy.mend()
        else:
            await service.attempts.persist(time.time())
        with pytest.raises(SoldOut):
            await checkout
        await service.attempts.persist(time.time())
        told = query("select count(*) from attempts where buyer = 'bob' and outcome = 'sold_out'")
        assert told == [[1]]
    finally:
        proxy.close()
        await hearing_nothing.close()


async def test_a_clock_set_back_prolongs_no_wait_for_who_opens_a_sale(
    service: Service,
    redis_client: redis.Redis,
    query: Callable[..., Rows],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clock jumps and frozen owners of the right to open, drawn together."""
    monkeypatch.setattr(sales, "_OPENING_SECONDS_MAX", 0.1)
    sale = service.sales.current()
    query(f"select pg_advisory_lock(hashtext('flashsale open sale'), {sale.starts_at})")
    redis_client.flushall()
    opening = asyncio.create_task(service.sales.open(sale))
    await asyncio.sleep(0.05)
    monkeypatch.setattr(service.sales, "_clock", lambda: time.time() - 5)
    await asyncio.wait_for(opening, 2)
