"""All pages: usable by everyone, small, still, and closed to whatever is not ours."""

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from tests.contract.site import Site
from tests.web.browser import DESKTOP, PHONE, Visitor, needs_browser, reaches
from tests.web.conftest import Visit

FIRST_VIEW_BYTES_MAX = 100_000
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}


# axe is put into the page as a script, which our policy would refuse.
INJECTABLE = {"bypass_csp": True}
IN_BOTH = pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")], ids=["phone dark", "desktop light"]
)


def is_clean(page: Page) -> None:
    """axe finds nothing to object to."""
    found = Axe().run(page, options=RULES).response["violations"]
    told = [(each["id"], [node["html"][:120] for node in each["nodes"]][:3]) for each in found]
    assert told == []


@needs_browser
@IN_BOTH
def test_everyone_can_use_the_shop(
    visit: Visit, buyer: str, item: int, scheme: str, size: dict[str, int]
) -> None:
    """In each state that a buyer sees on the way, by axe's rules for WCAG 2.2 AA."""
    page = visit(viewport=size, color_scheme=scheme, **INJECTABLE).open()
    is_clean(page)
    page.goto(f"/?item={item}")
    reaches(page, "ready")
    is_clean(page)
    page.click("#act")
    page.fill("#buyer", "?")
    page.keyboard.press("Enter")
    is_clean(page)
    page.fill("#buyer", buyer)
    page.keyboard.press("Enter")
    reaches(page, "code")
    is_clean(page)
    page.click("#act")
    reaches(page, "yours")
    is_clean(page)
    page.keyboard.press("Escape")
    page.click("#open-mine")
    is_clean(page)
    page.goto(f"/?item={item}")
    page.keyboard.press("Escape")
    page.route("**/stock", lambda route: route.abort())
    page.wait_for_selector("#trouble:not([hidden])")
    is_clean(page)


@needs_browser
@IN_BOTH
def test_everyone_can_use_the_documentation(
    visit: Visit, scheme: str, size: dict[str, int]
) -> None:
    page = visit(viewport=size, color_scheme=scheme, **INJECTABLE).page
    page.goto("/docs")
    page.click("#checkout summary")
    page.click("#stats button")
    page.wait_for_selector("#stats .answer h3")
    is_clean(page)


@needs_browser
def test_the_documentation_sells(visit: Visit, buyer: str, item: int) -> None:
    """Its checkout hands the code to its purchase; both are the real ones."""
    page = visit().page
    page.goto("/docs")
    page.fill("#checkout-user_id", buyer)
    page.fill("#checkout-id", str(item))
    expect(page.locator("#checkout .curl")).to_contain_text(f"user_id={buyer}&id={item}")
    page.click("#checkout button")
    expect(page.locator("#checkout .answer h3")).to_contain_text("200 OK")
    page.click("#purchase button")
    expect(page.locator("#purchase .answer")).to_contain_text('"purchase_id": "purchase_')
    page.fill("#items-limit", "0")
    page.click("#items button")
    expect(page.locator("#items .answer")).to_contain_text("limit must be at least 1")


@needs_browser
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_no_page_scrolls_sideways(visit: Visit, path: str) -> None:
    """At 320 pixels, which is 400 % of an ordinary screen's zoom."""
    page = visit(viewport={"width": 320, "height": 640}).page
    page.goto(path)
    page.wait_for_selector("a.card, .operation")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@needs_browser
@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_first_view_is_small_and_still_and_all_ours(
    browser: Browser, site: Site, path: str, size: dict[str, int]
) -> None:
    """Of everything that a first visit loads before anybody scrolls."""
    visitor = Visitor(browser, site.url, viewport=size)
    page, sizes, hosts = visitor.page, [], set()
    wire = visitor.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
    wire.on("Network.requestWillBeSent", lambda told: hosts.add(told["request"]["url"]))
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver((list) => {"
        " for (const entry of list.getEntries()) window.moved += entry.value;"
        "}).observe({type: 'layout-shift', buffered: true})"
    )
    page.goto(path, wait_until="networkidle")
    page.wait_for_selector("a.card img, .operation")
    page.wait_for_timeout(1_500)
    assert sum(sizes) < FIRST_VIEW_BYTES_MAX
    assert page.evaluate("window.moved") < 0.02
    assert {url.split("/")[2] for url in hosts} == {site.url.removeprefix("http://")}
    visitor.close()


@needs_browser
def test_without_wish_for_motion_nothing_moves(visit: Visit) -> None:
    page = visit(reduced_motion="reduce").open("/?item=77")
    reaches(page, "ready")
    assert page.evaluate("document.getAnimations().length") == 0


@needs_browser
def test_a_second_visit_loads_no_asset_again(visit: Visit) -> None:
    visitor = visit()
    visitor.open()
    again = visitor.tab()
    loaded: list[str] = []
    again.on("response", lambda r: loaded.append(r.url) if not r.from_service_worker else None)
    again.goto("/")
    again.wait_for_selector("a.card")
    sizes = again.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter((each) => each.name.includes('/assets/')).map((each) => each.transferSize)"
    )
    assert sizes
    assert set(sizes) == {0}
