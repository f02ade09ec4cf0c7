"""What alarms rest on: a sale that somebody sees to be open, and promises that are held to it."""

from typing import Any

import pytest
import redis
from flashsale.bootstrap import Service
from flashsale.metrics import metrics

from tests.layer.test_metrics import Written

Levels = dict[str, list[float]]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    metrics().flush()
    made = Written()
    monkeypatch.setattr("flashsale.metrics.lines", lambda: made)
    return made


def level(written: Written, name: str) -> Any:
    metrics().flush()
    return [line[name][0] for line in written.kept if name in line]


async def test_items_left_and_sold_are_told(service: Service, written: Written) -> None:
    code = (await service.shop.checkout(buyer="ann", item=7)).code
    await service.shop.purchase(code)
    await service.background.settled()
    await service.sales.watch()
    assert level(written, "ItemsLeft") == [9_999]
    assert level(written, "ItemsSold") == [1]


async def test_whoever_watches_opens_a_sale_that_redis_has_lost(
    service: Service, written: Written, redis_client: "redis.Redis"
) -> None:
    """Checkouts that may ask nobody but Redis are served again."""
    redis_client.flushall()
    starts_at = service.sales.current().starts_at
    assert (await service.inventory.stock(starts_at))[0] is None
    await service.sales.watch()
    assert (await service.inventory.stock(starts_at))[0] == 0
    assert level(written, "ItemsLeft") == [10_000]


async def test_broken_promises_are_counted(
    service: Service, written: Written, redis_client: "redis.Redis"
) -> None:
    sale = service.sales.current()
    assert await service.audit.count(sale) == 0
    assert level(written, "AuditViolations")[-1] == 0
    code = (await service.shop.checkout(buyer="ann", item=7)).code
    await service.shop.purchase(code)
    await service.background.settled()
    redis_client.hdel(f"flash:{{{sale.starts_at}}}:claims", "7")
    violations = await service.audit.count(sale)
    assert violations >= 1
    assert level(written, "AuditViolations")[-1] == violations
