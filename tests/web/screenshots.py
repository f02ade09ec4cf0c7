"""Makes the pictures in docs/images: `python -m tests.web.screenshots`.

Of a service that is started for it, in the middle of a sale.
"""

import contextlib
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Page

from tests.contract.site import ROOT, Site, Stores
from tests.web.browser import DESKTOP, PHONE, Visitor, chromium, reaches
from tests.web.conftest import buy

FOLDER = ROOT / "docs/images"
SOLD = 1_400
IN_VIEW, MINE, ITEM = (2, 5), (3,), 6
BUYER = "alice"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with _service() as url, chromium() as browser:
        bought = json.dumps(json.dumps(_sell(url)))
        for width, size in ((1440, DESKTOP), (360, PHONE)):
            for scheme in ("light", "dark"):
                visitor = Visitor(browser, url, viewport=size, color_scheme=scheme).named(BUYER)
                visitor.context.add_init_script(
                    f"localStorage.setItem('flashsale:purchases', {bought})"
                )
                for name, show in PAGES.items():
                    show(visitor)
                    visitor.page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png")
                visitor.close()


def _shop(visitor: Visitor) -> None:
    page = visitor.open("/")
    _settled(page)


def _counter(visitor: Visitor) -> None:
    page = visitor.open(f"/?item={ITEM}")
    reaches(page, "ready")
    page.click("#act")
    reaches(page, "code")
    _settled(page)


def _docs(visitor: Visitor) -> None:
    visitor.page.goto("/docs")
    visitor.page.wait_for_selector("#checkout")
    visitor.page.click("#checkout button[type=submit]")
    visitor.page.wait_for_selector("#checkout .answer h3")
    _settled(visitor.page)


PAGES: dict[str, Callable[[Visitor], None]] = {"shop": _shop, "counter": _counter, "docs": _docs}


def _settled(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)  # for pictures to be decoded


@contextlib.contextmanager
def _service() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="flashsale-screenshots-") as name:
        stores = Stores(Path(name))
        for store in (stores.valkey, stores.postgres):
            store.start()
        site = Site(Path(name) / "gateway", stores.environment())
        try:
            site.prepare()
            site.start()
            yield site.url
        finally:
            site.stop()
            for store in (stores.postgres, stores.valkey):
                store.discard()


def _sell(url: str) -> list[dict[str, object]]:
    """Sell the same items each time, so that the pictures change only where the pages do. Return
    what the buyer's browser would remember of theirs."""
    free = [n for n in range(1, 10_001) if n not in (ITEM, *MINE)]
    with httpx.Client(base_url=url, timeout=20) as client:
        for item in {*random.Random(1).sample(free, SOLD), *IN_VIEW}:
            buy(client, f"buyer-{item}", item)
        sale = client.get("/stock").json()["sale_id"]
        return [
            {
                **client.get(f"/items/{item}").json()["item"],
                "purchase_id": buy(client, BUYER, item),
                "item": item,
                "sale": sale,
                "buyer": BUYER,
                "at": 1_795_351_608_000,
            }
            for item in MINE
        ]


if __name__ == "__main__":
    main()
