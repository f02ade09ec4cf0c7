"""A running service, and visitors in a real browser."""

import time
from collections.abc import Callable, Iterator
from itertools import count

import httpx
import pytest
from playwright.sync_api import Browser

from tests.contract.site import Site, Stores, running_site, running_stores
from tests.web.browser import Visitor, chromium

Visit = Callable[..., Visitor]


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with running_stores(tmp_path_factory.mktemp("web")) as made:
        yield made


@pytest.fixture(scope="session")
def site(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site") / "gateway"
    with running_site(folder, stores.environment()) as made:
        yield made
    assert "Traceback" not in made.output.read_text()


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, timeout=20) as made:
        yield made


# For as long as a module: while Playwright runs, this thread can have no event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """Makes visitors; none of them may have had anything to complain of but a failed request."""
    visitors = []

    def make(url: str = site.url, **options: object) -> Visitor:
        visitors.append(Visitor(browser, url, **options))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.close()
        odd = [each for each in visitor.complaints if "Failed to load resource" not in each]
        assert odd == []


_numbers = count(1)


@pytest.fixture
def buyer() -> str:
    """A name that nobody has bought under."""
    return f"visitor-{next(_numbers)}"


@pytest.fixture
def item(client: httpx.Client) -> int:
    """An item far from the catalogue's first page that nobody has bought."""
    return 5_000 + next(_numbers)


def buy(client: httpx.Client, buyer: str, item: int) -> str:
    """Buy an item past all pages; return the receipt."""
    told = _certain(client, "/checkout", {"user_id": buyer, "id": item})
    return str(_certain(client, "/purchase", {"code": told["checkout_code"]})["purchase_id"])


def _certain(client: httpx.Client, path: str, query: dict[str, str | int]) -> dict[str, str]:
    """The good answer to a request that a busy machine may be slow to give."""
    deadline = time.monotonic() + 45
    while (reply := client.post(path, params=query)).status_code == 503:
        assert time.monotonic() < deadline, reply.text
        time.sleep(0.1)
    assert reply.status_code == 200, reply.text
    told: dict[str, str] = reply.json()
    return told


def receipts(stores: Stores, buyer: str) -> list[str]:
    """What the ledger says that a buyer has bought."""
    rows = stores.sql(
        "select purchase_id from purchases where buyer = :buyer and state = 'sold'", buyer=buyer
    )
    return [receipt for (receipt,) in rows]
