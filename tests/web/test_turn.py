"""A short sale sells out and turns into the next one while its page is open."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.contract.site import Site, Stores, running_site
from tests.web.browser import needs_browser, reaches
from tests.web.conftest import Visit, buy

pytestmark = needs_browser

SALE_SECONDS, ITEMS = 40, 12
NEEDED_SECONDS = 27
FINAL = "[data-state=sold_out], [data-state=sale_ended]"


@pytest.fixture(scope="module")
def short(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A shop of its own, in a database of its own, with a sale every 40 seconds."""
    stores.sql("create database short_sales")
    environment = stores.environment() | {
        "DB_NAME": "short_sales",
        "REDIS_DB": "1",
        "SALE_SECONDS": str(SALE_SECONDS),
        "ITEMS_PER_SALE": str(ITEMS),
    }
    folder = tmp_path_factory.mktemp("short") / "gateway"
    with running_site(folder, environment, processes=1) as site:
        yield site
    stores.sql("drop database short_sales with (force)")


def test_it_sells_out_and_the_hour_turns(visit: Visit, short: Site) -> None:
    """The page says so, counts down to the next sale, and shows its items when it comes. Whoever
    did not hear what became of a purchase hears it then."""
    with httpx.Client(base_url=short.url, timeout=20) as client:
        _wait_for_time(client)
        slow, sleepy = visit(short.url).named("slow"), visit(short.url).named("sleepy")
        page, other = slow.open("/?item=12"), sleepy.open("/?item=11")
        name = page.inner_text("#item-name")
        for each in (page, other):
            each.click("#act")
            reaches(each, "code")
        other.route("**/purchase?*", lambda route: route.abort())
        other.click("#act")
        reaches(other, "unknown")

        for item in range(1, ITEMS + 1):
            buy(client, f"crowd-{item}", item)
        expect(page.locator("#clock-label")).to_have_text("Sold out. The next sale begins in")
        expect(page.locator("#of")).to_have_text("left: all 12 are sold")
        expect(page.locator("#bar")).to_have_attribute("aria-valuenow", "0")
        page.click("#act")
        reaches(page, "sold_out")
        page.keyboard.press("Escape")
        expect(page.locator("a.card.gone")).to_have_count(ITEMS)

        ended = client.get("/stock").json()["end_time"]
        expect(page.locator("#left")).to_have_text("12", timeout=(SALE_SECONDS + 40) * 1_000)
        assert client.get("/stock").json()["start_time"] >= ended
        expect(page.locator("#clock-label")).to_have_text("This sale ends in")
        expect(page.locator("a.card.gone")).to_have_count(0)
        expect(page.locator("a.card[data-item='12']")).not_to_contain_text(name)
        reaches(other, "unknown")
        other.unroute_all()
        other.wait_for_selector(f"#told:is({FINAL})", timeout=60_000)
        expect(other.locator("#told")).to_contain_text(
            re.compile("bought nothing|Nothing was bought")
        )


def _wait_for_time(client: httpx.Client) -> None:
    """Until a sale is on that has enough of it left."""
    told = client.get("/stock").json()
    left = told["end_time"] - told["now_ms"] / 1_000
    if left < NEEDED_SECONDS:
        time.sleep(left + 0.3)
