"""A buyer in the shop, in a real browser: what they do, and what the ledger says of it."""

import re

import httpx
import pytest
from flashsale.request import _BUYER
from playwright.sync_api import Dialog, Page, expect

from tests.contract.site import Site, Stores, eventually
from tests.web.browser import needs_browser, reaches
from tests.web.conftest import Visit, buy, receipts

pytestmark = needs_browser


def test_a_buyer_buys(visit: Visit, stores: Stores, buyer: str, item: int) -> None:
    """With a name asked for at the counter; and still knows of it after a reload."""
    page = visit().open(f"/?item={item}")
    page.click("#act")
    page.fill("#buyer", "no spaces")
    page.keyboard.press("Enter")
    expect(page.locator("#buyer-wrong")).to_have_text("“space” can’t be part of a name here.")
    page.fill("#buyer", buyer)
    page.keyboard.press("Enter")
    reaches(page, "code")
    assert receipts(stores, buyer) == []
    page.click("#act")
    reaches(page, "yours")
    assert receipts(stores, buyer) == [page.inner_text("#told code")]
    expect(page.locator("#mine-count")).to_have_text("1 of 10")

    page.reload()
    reaches(page, "yours")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("/$"))
    page.click("#open-mine")
    expect(page.locator("#mine code")).to_have_text(receipts(stores, buyer))


def test_a_purchase_by_keyboard_alone(visit: Visit, stores: Stores, buyer: str) -> None:
    """Tab to an item, Enter for each step; Escape leads back to where one was."""
    page = visit().open("/?page=30")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('a.card')"):
            break
    chosen = page.evaluate("document.activeElement.dataset.item")
    page.keyboard.press("Enter")
    reaches(page, "ready")
    page.keyboard.press("Enter")
    page.wait_for_selector("#name[open]")
    page.keyboard.type(buyer)
    page.keyboard.press("Enter")
    reaches(page, "code")
    page.keyboard.press("Enter")
    reaches(page, "yours")
    page.keyboard.press("Escape")
    expect(page.locator(f"a.card[data-item='{chosen}']")).to_be_focused()
    expect(page.locator(f"a.card[data-item='{chosen}']")).to_contain_text("Yours")
    assert len(receipts(stores, buyer)) == 1


def test_a_screen_reader_is_told_every_turn(visit: Visit, buyer: str, item: int) -> None:
    page = visit().named(buyer).open(f"/?item={item}")
    page.evaluate(
        "window.said = []; new MutationObserver(() => said.push("
        "document.getElementById('say').textContent))"
        ".observe(document.getElementById('say'), {childList: true})"
    )
    page.click("#act")
    reaches(page, "code")
    page.click("#act")
    reaches(page, "yours")
    said = page.evaluate("window.said.map((text) => text.split('.')[0])")
    assert said == ["Checking out", "You have a code", "Buying", "It’s yours"]


def test_the_page_takes_the_names_that_the_service_takes(visit: Visit) -> None:
    page = visit().open()
    folder = page.get_attribute("script[type=module]", "src")
    assert folder is not None
    module = folder.replace("shop.js", "keep.js")
    source = page.evaluate("async (at) => (await import(at)).BUYER.source", module)
    assert source == f"^{_BUYER.pattern}$"


def test_two_race_for_one_item(visit: Visit, stores: Stores, buyer: str, item: int) -> None:
    """Both have a code. One is told that it is theirs, the other that they were too late."""
    rivals = f"{buyer}-a", f"{buyer}-b"
    pages = [visit().named(name).open(f"/?item={item}") for name in rivals]
    for page in pages:
        page.click("#act")
        reaches(page, "code")
    for page in pages:
        page.evaluate("document.getElementById('act').click()")
    told = [_end(page) for page in pages]
    assert sorted(told) == ["sold_out", "yours"]
    winner = rivals[told.index("yours")]
    assert [len(receipts(stores, name)) for name in rivals] == [
        int(name == winner) for name in rivals
    ]


def test_two_tabs_of_one_buyer_know_of_each_other(visit: Visit, buyer: str, item: int) -> None:
    visitor = visit().named(buyer)
    page, other = visitor.open(f"/?item={item}"), visitor.tab()
    other.goto(f"/?item={item}")
    reaches(other, "ready")
    page.click("#act")
    reaches(page, "code")
    page.click("#act")
    reaches(page, "yours")
    reaches(other, "yours")
    expect(other.locator("#mine-count")).to_have_text("1 of 10")


def test_what_others_buy_is_seen_without_a_reload(
    visit: Visit, client: httpx.Client, buyer: str
) -> None:
    """On the card, in the number, and at the counter, which then offers no checkout."""
    page = visit().open("/?page=50")
    card = page.locator("a.card").nth(2)
    number = int(card.get_attribute("data-item") or 0)
    before = int(page.inner_text("#left").replace(",", ""))
    card.click()
    reaches(page, "ready")
    buy(client, buyer, number)
    reaches(page, "gone")
    expect(page.locator("#left")).to_have_text(f"{before - 1:,}")
    page.click("#act")
    expect(card).to_contain_text("Sold")


def test_the_page_says_what_sql_says(visit: Visit, client: httpx.Client, stores: Stores) -> None:
    """While items are sold behind it, its number catches up."""
    page = visit().open()
    for turn in range(3):
        for number in range(4):
            buy(client, f"crowd-{turn}", 9_000 + 10 * turn + number)
        ((sold,),) = stores.sql("select count(*) from purchases where state = 'sold'")
        expect(page.locator("#left")).to_have_text(f"{10_000 - sold:,}")
        share = float(page.get_attribute("#bar", "aria-valuenow") or 0)
        assert share == 10_000 - sold


def test_the_eleventh_item_is_refused_in_words(
    visit: Visit, client: httpx.Client, buyer: str, item: int
) -> None:
    """Though this browser knows of none of the ten; from then on it does not even ask."""
    for number in range(10):
        buy(client, buyer, 8_000 + number)
    page = visit().named(buyer).open(f"/?item={item}")
    page.click("#act")
    reaches(page, "limit_exceeded")
    expect(page.locator("#mine-count")).to_have_text("10 of 10")
    page.goto(f"/?item={item + 1000}")
    reaches(page, "limit_exceeded")


def test_an_item_is_found_by_number_and_by_name(visit: Visit, client: httpx.Client) -> None:
    item = client.get("/items/7777").json()["item"]
    page = visit().open()
    page.fill("#find", "7777")
    expect(page.locator("a.card")).to_have_count(1)
    expect(page.locator("a.card")).to_contain_text(item["name"])
    first_word = item["name"].split()[0].lower()
    page.fill("#find", f"{item['name'].split()[-1]} {first_word}")
    expect(page.locator("a.card").first).to_contain_text(item["name"])
    page.fill("#find", "<b>nothing")
    expect(page.locator("#found")).to_contain_text("Nothing for “<b>nothing”")
    expect(page.locator("#found b")).to_have_count(0)


def test_only_what_is_left(visit: Visit, client: httpx.Client, buyer: str) -> None:
    before = client.get("/stock").json()["items_sold"]
    buy(client, buyer, 2)
    eventually(lambda: client.get("/stock").json()["items_sold"] > before)
    page = visit().open("/?unsold=1")
    expect(page.locator("a.card[data-item='1']")).to_have_count(1)
    expect(page.locator("a.card[data-item='2']")).to_have_count(0)


def test_the_address_follows_and_the_way_back_works(visit: Visit) -> None:
    page = visit().open()
    page.get_by_role("button", name="Next").click()
    expect(page).to_have_url(re.compile(r"/\?page=2$"))
    page.locator("a.card[data-item='49']").click()
    expect(page).to_have_url(re.compile(r"/\?page=2&item=49$"))
    expect(page).to_have_title(re.compile(r"No\. 49$"))
    page.go_back()
    expect(page.locator("#item")).to_be_hidden()
    page.go_back()
    expect(page.locator("a.card[data-item='1']")).to_have_count(1)
    page.go_forward()
    expect(page.locator("a.card[data-item='49']")).to_have_count(1)
    page.select_option("#page", "209")
    expect(page.locator("a.card")).to_have_count(16)


def test_nothing_in_an_address_runs(visit: Visit) -> None:
    visitor = visit()
    alerts: list[str] = []

    def notice(dialog: Dialog) -> None:
        alerts.append(dialog.message)
        dialog.dismiss()

    visitor.page.on("dialog", notice)
    for query in ("item=<script>alert(1)</script>", "q=<img src=x onerror=alert(1)>", "page=-1"):
        visitor.page.goto(f"/?{query}")
        visitor.page.wait_for_selector("a.card, #found:has-text('Nothing')")
    assert alerts == []
    assert visitor.page.locator("main img[src='x']").count() == 0


@pytest.mark.parametrize("garbage", ['"<b>"', "[1, null]", "{", '{"a": 1}', "null"])
def test_garbage_in_the_browsers_memory_stops_nobody(
    visit: Visit, stores: Stores, buyer: str, item: int, garbage: str
) -> None:
    visitor = visit()
    visitor.context.add_init_script(
        "if (!sessionStorage.done) { sessionStorage.done = 1;"
        f" for (const name of ['pending', 'purchases', 'limits', 'buyer'])"
        f" localStorage.setItem(`flashsale:${{name}}`, `{garbage}`); }}"
    )
    page = visitor.open(f"/?item={item}")
    page.click("#act")
    page.fill("#buyer", buyer)
    page.keyboard.press("Enter")
    reaches(page, "code")
    page.click("#act")
    reaches(page, "yours")
    assert len(receipts(stores, buyer)) == 1


def test_the_countdown_is_the_servers(visit: Visit, client: httpx.Client, site: Site) -> None:
    """Of a client whose clock is two days off."""
    visitor = visit()
    visitor.context.add_init_script("const real = Date.now; Date.now = () => real() + 172_800_000;")
    page = visitor.open()
    told = client.get("/stock").json()
    left = told["end_time"] - told["now_ms"] / 1_000
    shown = [int(part) for part in page.inner_text("#countdown").split(":")]
    seconds = sum(part * 60**place for place, part in enumerate(reversed(shown)))
    assert abs(seconds - left) <= 2


def _end(page: Page) -> str:
    page.wait_for_selector("#told[data-state=yours], #told[data-state=sold_out]")
    return page.get_attribute("#told", "data-state") or ""
