"""Codes that come too late, or that nobody gave: refused for good, unless they had sold."""

import dataclasses
from collections.abc import Callable

import pytest
import redis
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.codes import CodeSigner
from flashsale.config import Settings
from flashsale.errors import CodeExpired, InvalidCode, SaleEnded, SaleNotReady

from tests.conftest import CODE_KEYS, Rows

Query = Callable[..., Rows]
SIGNER = CodeSigner.parse(CODE_KEYS)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A sale lasts a day here, so that no hour ends in the middle of a test, and is a small one."""
    return dataclasses.replace(settings, sale_seconds=86_400, items_per_sale=500)


async def test_an_expired_code_is_refused_and_stays_refused(service: Service, query: Query) -> None:
    sale = service.sales.current()
    text = SIGNER.mint(starts_at=sale.starts_at, item=7, expires_at=sale.starts_at, buyer="ann")
    for _ in range(2):
        with pytest.raises(CodeExpired):
            await service.shop.purchase(text)
    assert query("select state from purchases") == [["void"]]
    session = await service.shop.checkout(buyer="bob", item=7)
    assert await service.shop.purchase(session.code)


async def test_an_expired_code_that_had_sold_is_answered_by_its_purchase(
    service: Service, redis_client: "redis.Redis"
) -> None:
    """Also if Redis has forgotten it: "expired" would be a lie."""
    sale = service.sales.current()
    text = SIGNER.mint(starts_at=sale.starts_at, item=7, expires_at=sale.starts_at, buyer="ann")
    code = SIGNER.read(text)
    await service.ledger.purchase(code)
    assert await service.shop.purchase(text) == code.purchase_id
    redis_client.flushall()
    assert await service.shop.purchase(text) == code.purchase_id


@pytest.mark.parametrize("is_loaded", [True, False])
async def test_a_code_of_a_sale_that_ended_never_sells(
    service: Service, query: Query, is_loaded: bool
) -> None:
    ended = service.sales.calendar.sale_starting(service.sales.current().starts_at - 86_400)
    if is_loaded:
        await service.sales.open(ended)
    text = SIGNER.mint(starts_at=ended.starts_at, item=7, expires_at=2**32 - 1, buyer="ann")
    with pytest.raises(SaleEnded):
        await service.shop.purchase(text)
    assert query("select state from purchases") == [["void"]]


async def test_without_redis_a_code_of_a_sale_to_come_waits_for_it(
    settings: Settings, deserted_port: int, query: Query
) -> None:
    """A service whose clock is ahead may give one; Redis, were it there, would say "not open"."""
    away = dataclasses.replace(settings, redis_addr=f"127.0.0.1:{deserted_port}")
    now = 1_800_000_000.0
    service = bootstrap.build(away, clock=lambda: now)
    to_come = service.sales.calendar.sale_at(now + 86_400)
    text = SIGNER.mint(starts_at=to_come.starts_at, item=7, expires_at=to_come.ends_at, buyer="ann")
    with pytest.raises(SaleNotReady):
        await service.shop.purchase(text)
    assert query("select count(*) from purchases") == [[0]]
    now = float(to_come.starts_at)
    assert await service.shop.purchase(text)
    await service.close()


async def test_a_forged_code_touches_neither_store(
    service: Service, redis_client: "redis.Redis", query: Query
) -> None:
    forger = CodeSigner({1: b"guessed!" * 4})
    sale = service.sales.current()
    forged = [
        forger.mint(starts_at=sale.starts_at, item=item, expires_at=sale.ends_at, buyer="ann")
        for item in range(1, 1_001)
    ]

    def commands() -> dict[str, int]:
        told = redis_client.info("commandstats")
        return {name: stats["calls"] for name, stats in told.items() if name != "cmdstat_info"}

    def statements() -> Rows:
        return query(
            "select pid, query_start from pg_stat_activity"
            " where application_name like 'flashsale %' and datname = current_database()"
            " order by pid"
        )

    before = commands(), statements()
    for text in forged:
        with pytest.raises(InvalidCode):
            await service.shop.purchase(text)
    assert (commands(), statements()) == before
