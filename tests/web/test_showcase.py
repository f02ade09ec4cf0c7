"""The sale at a glance: asked for once however many look, and never behind what it has said."""

import asyncio
from typing import Any

import pytest
from flashsale.bootstrap import Service
from flashsale.model import Sale, Sold
from flashsale.sales import Sales
from flashsale.showcase import Glance, Showcase


def sold_in(glance: Glance) -> set[int]:
    """The items whose bits are set, read as docs/API.md says."""
    return {
        item
        for item in range(1, glance.sale.total + 1)
        if glance.bits[(item - 1) // 8] >> (item - 1) % 8 & 1
    }


async def sell(service: Service, *items: int) -> None:
    sale = service.sales.current()
    for item in items:
        code = (await service.shop.checkout(buyer=f"b{item}", item=item)).code
        await service.shop.purchase(code)
    await service.settled()
    assert (await service.sales.sold_among(sale, items)) == [True] * len(items)


class Counting:
    """Sales that count how often they are asked."""

    def __init__(self, sales: Sales) -> None:
        self._sales = sales
        self.asked: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        self.asked[name] = self.asked.get(name, 0) + 1
        return getattr(self._sales, name)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fresh for longer than it takes to look."""
    monkeypatch.setattr("flashsale.showcase.FRESH_SECONDS", 0.0)


@pytest.mark.usefixtures("fresh")
async def test_every_sold_item_has_its_bit(service: Service) -> None:
    showcase = Showcase(service.sales)
    assert sold_in(await showcase.glance()) == set()
    await sell(service, 1, 8, 9, 10_000)
    seen = await showcase.glance()
    assert sold_in(seen) == {1, 8, 9, 10_000}
    assert (seen.sold, len(seen.bits)) == (4, 1_250)


async def test_a_crowd_of_onlookers_asks_once(service: Service) -> None:
    sales = Counting(service.sales)
    showcase = Showcase(sales)  # type: ignore[arg-type]
    seen = await asyncio.gather(*(showcase.glance() for _ in range(200)))
    assert {each.sale for each in seen} == {service.sales.current()}
    assert sales.asked["stock"] == sales.asked["sold_among"] == 1


@pytest.mark.usefixtures("fresh")
async def test_items_are_asked_for_only_when_one_was_sold(service: Service) -> None:
    sales = Counting(service.sales)
    showcase = Showcase(sales)  # type: ignore[arg-type]
    for _ in range(5):
        await showcase.glance()
    assert (sales.asked["stock"], sales.asked["sold_among"]) == (5, 1)
    await sell(service, 5)
    for _ in range(5):
        await showcase.glance()
    assert sales.asked["sold_among"] == 2


@pytest.mark.usefixtures("fresh")
async def test_what_was_sold_stays_sold_though_redis_forgets(service: Service) -> None:
    showcase = Showcase(service.sales)
    await sell(service, 7)
    assert sold_in(await showcase.glance()) == {7}
    sale = service.sales.current()
    await service.inventory._command("DEL", f"flash:{{{sale.starts_at}}}:claims")
    assert sold_in(await showcase.glance()) == {7}
    await service.inventory.confirm(Sold(sale.starts_at, 9, "ab" * 16, "other"))
    assert sold_in(await showcase.glance()) == {7, 9}


@pytest.mark.usefixtures("fresh")
async def test_another_sale_begins_with_nothing_sold(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    showcase = Showcase(service.sales)
    await sell(service, 3)
    before = await showcase.glance()
    next_sale = service.sales.calendar.sale_starting(before.sale.ends_at)
    await service.sales.open(next_sale)

    async def stock() -> Any:
        from flashsale.model import Stock

        return Stock(next_sale, 0)

    monkeypatch.setattr(service.sales, "stock", stock)
    after: Sale = (await showcase.glance()).sale
    assert after == next_sale
    assert sold_in(await showcase.glance()) == set()


async def test_who_leaves_early_spoils_nothing_for_the_others(service: Service) -> None:
    showcase = Showcase(service.sales)
    leaver = asyncio.create_task(showcase.glance())
    stayer = asyncio.create_task(showcase.glance())
    await asyncio.sleep(0)
    leaver.cancel()
    assert (await stayer).sold == 0
