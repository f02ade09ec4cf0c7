"""What goes wrong between a buyer's browser and the shop, and that nobody buys twice for it."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.contract.site import Site, Stores, eventually
from tests.web.browser import Visitor, needs_browser, reaches
from tests.web.conftest import Visit, receipts

pytestmark = needs_browser

PURCHASE = "**/purchase?*"


@pytest.fixture
def ready(visit: Visit, buyer: str, item: int) -> Visitor:
    """Somebody who has a code, and has not bought yet."""
    visitor = visit().named(buyer)
    page = visitor.open(f"/?item={item}")
    page.click("#act")
    reaches(page, "code")
    return visitor


@pytest.fixture
def mended(site: Site, stores: Stores) -> Iterator[None]:
    yield
    if stores.postgres.poll() is not None:
        stores.postgres.start()
    eventually(lambda: all(httpx.get(f"{site.url}/health").status_code == 200 for _ in range(8)))


def sent_codes(visitor: Visitor) -> list[str]:
    """Fills up with the codes of purchases as they are sent."""
    codes: list[str] = []

    def note(request: Request) -> None:
        if "/purchase?" in request.url:
            codes.append(request.url)

    visitor.context.on("request", note)
    return codes


def lose_answer(route: Route) -> None:
    """Let the request arrive, and its answer get lost."""
    route.fetch()
    route.abort("connectionreset")


def test_an_answer_that_got_lost_is_asked_for_again_with_the_same_code(
    ready: Visitor, stores: Stores, buyer: str
) -> None:
    codes = sent_codes(ready)
    ready.page.route(PURCHASE, lose_answer, times=1)
    ready.page.click("#act")
    reaches(ready.page, "unknown")
    expect(ready.page.locator("#told")).to_contain_text("We don’t know yet.")
    expect(ready.page.locator("#told")).to_contain_text("can’t buy twice")
    reaches(ready.page, "yours")
    assert receipts(stores, buyer) == [ready.page.inner_text("#told code")]
    assert len(codes) == 2
    assert len(set(codes)) == 1


def test_a_reload_in_the_middle_goes_on_with_the_same_code(
    ready: Visitor, stores: Stores, buyer: str
) -> None:
    """The page is gone before the answer comes; the next one asks again, by itself."""
    codes = sent_codes(ready)
    ready.page.route(PURCHASE, lose_answer)
    ready.page.click("#act")
    reaches(ready.page, "unknown")
    ready.page.unroute_all()
    ready.page.goto("/docs")
    page = ready.open("/")
    expect(page.locator("#mine-count")).to_have_text("1 of 10")
    assert len(receipts(stores, buyer)) == 1
    assert len(set(codes)) == 1
    assert page.evaluate("localStorage.getItem('flashsale:pending')") == "[]"


def test_a_code_that_was_not_sent_waits_for_its_buyer(
    ready: Visitor, stores: Stores, buyer: str
) -> None:
    """A reload doesn't buy what nobody has said yes to."""
    ready.page.reload()
    reaches(ready.page, "code")
    assert receipts(stores, buyer) == []
    ready.page.click("#act")
    reaches(ready.page, "yours")
    assert len(receipts(stores, buyer)) == 1


def test_a_code_that_is_not_wanted_is_forgotten(ready: Visitor, stores: Stores, buyer: str) -> None:
    ready.page.click("text=Not this one")
    expect(ready.page.locator("#item")).to_be_hidden()
    assert ready.page.evaluate("localStorage.getItem('flashsale:pending')") == "[]"
    assert receipts(stores, buyer) == []


def test_the_network_drops_and_comes_back(ready: Visitor, stores: Stores, buyer: str) -> None:
    """The buyer is told, and nothing needs to be clicked once they are back."""
    ready.context.set_offline(True)
    ready.page.click("#act")
    reaches(ready.page, "unknown")
    expect(ready.page.locator("#told")).to_contain_text("You are offline")
    expect(ready.page.locator("#trouble")).to_contain_text("You are offline.")
    ready.context.set_offline(False)
    reaches(ready.page, "yours", seconds=5)
    expect(ready.page.locator("#trouble")).to_be_hidden()
    assert len(receipts(stores, buyer)) == 1


def test_retry_after_is_honoured(ready: Visitor, stores: Stores, buyer: str) -> None:
    moments: list[float] = []

    def busy(route: Route) -> None:
        moments.append(time.monotonic())
        if len(moments) > 1:
            return route.continue_()
        body = {"success": False, "error": "busy", "message": "item is being bought"}
        route.fulfill(status=503, headers={"retry-after": "3"}, body=json.dumps(body))
        return None

    ready.page.route(PURCHASE, busy)
    ready.page.click("#act")
    reaches(ready.page, "unknown")
    expect(ready.page.locator("#told")).to_contain_text("at this very moment")
    reaches(ready.page, "yours")
    assert 3 <= moments[1] - moments[0] < 6
    assert len(receipts(stores, buyer)) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "<html>Request blocked</html>"),  # a firewall in front of the shop
        (429, '{"message": "Too Many Requests"}'),  # API Gateway
        (500, '{"success": false, "error": "internal", "message": "internal error"}'),
        (200, "<html>Welcome to this hotel's network</html>"),
        (504, ""),
    ],
)
def test_what_the_shop_did_not_say_is_not_final(
    ready: Visitor, stores: Stores, buyer: str, status: int, body: str
) -> None:
    ready.page.route(PURCHASE, lambda route: route.fulfill(status=status, body=body), times=1)
    ready.page.click("#act")
    reaches(ready.page, "unknown")
    reaches(ready.page, "yours")
    assert len(receipts(stores, buyer)) == 1


def test_the_shops_own_no_is_final(ready: Visitor, stores: Stores, buyer: str) -> None:
    codes = sent_codes(ready)
    told = {"success": False, "error": "a_new_word", "message": "not today"}
    ready.page.route(PURCHASE, lambda route: route.fulfill(status=403, json=told))
    ready.page.click("#act")
    reaches(ready.page, "refused")
    expect(ready.page.locator("#told")).to_contain_text("“not today”")
    assert len(codes) == 1


@pytest.mark.usefixtures("mended")
def test_a_purchase_survives_a_database_that_is_away(
    ready: Visitor, stores: Stores, buyer: str
) -> None:
    stores.postgres.kill()
    ready.page.click("#act")
    reaches(ready.page, "unknown")
    stores.postgres.start()
    reaches(ready.page, "yours", seconds=30)
    assert len(receipts(stores, buyer)) == 1


def test_a_checkout_that_finds_no_answer_is_repeated_until_the_buyer_leaves(
    visit: Visit, buyer: str, item: int
) -> None:
    visitor = visit().named(buyer)
    page = visitor.open(f"/?item={item}")
    asked: list[str] = []

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route("**/checkout?*", fail)
    page.click("#act")
    reaches(page, "checkout_again")
    expect(page.locator("#told")).to_contain_text("Nothing has happened yet.")
    expect(page.locator("#when")).to_contain_text("Next try")
    page.click("text=Not this one")
    before = len(asked)
    page.wait_for_timeout(2_500)
    assert len(asked) == before


def test_a_shop_that_does_not_answer_is_said_in_words(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    left = page.inner_text("#left")
    page.route("**/stock", lambda route: route.abort())
    expect(page.locator("#trouble")).to_contain_text(
        "The shop doesn't answer. What you see is from"
    )
    assert page.inner_text("#left") == left
    page.unroute_all()
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_catalogue_that_does_not_arrive_is_asked_for_again(visit: Visit) -> None:
    """By itself, or at once by a click."""
    page: Page = visit().page
    page.route("**/items?*", lambda route: route.abort(), times=1)
    page.goto("/")
    expect(page.locator("#found")).to_contain_text("The catalogue didn't arrive. We keep trying.")
    expect(page.locator("a.card")).to_have_count(48)
    page.route("**/items?*", lambda route: route.abort(), times=3)
    page.goto("/?page=2")
    page.click("text=Try now")
    page.click("text=Try now")
    expect(page.locator("a.card")).to_have_count(48)
