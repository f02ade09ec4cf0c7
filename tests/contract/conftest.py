"""A running service for all tests of the contract; each test takes items nobody else has."""

from collections.abc import Callable, Iterator
from itertools import count

import httpx
import pytest
from flashsale.codes import CodeSigner

from tests.contract.site import CODE_KEYS, Site, Stores, eventually, running_site, running_stores
from tests.web.conforms import conforms

Fresh = Callable[[], tuple[str, int]]


@pytest.fixture(scope="session", autouse=True)
def _runtime(request: pytest.FixtureRequest) -> None:
    Site.runtime = request.config.getoption("--runtime")


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with running_stores(tmp_path_factory.mktemp("contract")) as made:
        yield made


@pytest.fixture(scope="session")
def site(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site") / "gateway"
    with running_site(folder, stores.environment()) as made:
        yield made
    assert "Traceback" not in made.output.read_text()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --url, leave out what looks behind the service's back."""
    if config.getoption("--url"):
        inside = {"site", "stores"}
        hidden = [item for item in items if inside & set(getattr(item, "fixturenames", ()))]
        config.hook.pytest_deselected(items=hidden)
        items[:] = [item for item in items if item not in hidden]


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    """Where the service is."""
    told = request.config.getoption("--url")
    return str(told or request.getfixturevalue("site").url)


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    """A client that minds what holds for every answer, whatever was asked."""
    hooks = {"response": [_keeps_the_contract]}
    with httpx.Client(base_url=url, event_hooks=hooks, timeout=20) as made:
        yield made


@pytest.fixture(scope="session")
def fresh() -> Fresh:
    """A buyer and an item that no test has used."""
    numbers = count(1)

    def take() -> tuple[str, int]:
        number = next(numbers)
        return f"buyer-{number}", number

    return take


@pytest.fixture
def mended(site: Site, stores: Stores) -> Iterator[None]:
    """Whatever the test did to the stores, the next one finds them well."""
    yield
    for store in (stores.valkey, stores.postgres):
        if store.poll() is not None:
            store.start()
    eventually(lambda: healthy(site))


@pytest.fixture
def code(client: httpx.Client, fresh: Fresh) -> str:
    """A checkout code of a fresh buyer for a fresh item."""
    buyer, item = fresh()
    return checkout(client, buyer, item)


def checkout(client: httpx.Client, buyer: str, item: int) -> str:
    reply = client.post("/checkout", params={"user_id": buyer, "id": item})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["checkout_code"])


def sells(client: httpx.Client, code: str) -> bool:
    return client.post("/purchase", params={"code": code}).status_code == 200


def healthy(site: Site) -> bool:
    """Whether whoever is asked, of both processes, says so."""
    return all(httpx.get(f"{site.url}/health").status_code == 200 for _ in range(8))


def state(stores: Stores, code: str) -> list[str]:
    """What the ledger says of a code."""
    purchase_id = CodeSigner.parse(CODE_KEYS).read(code).purchase_id
    rows = stores.sql("select state from purchases where purchase_id = :id", id=purchase_id)
    return [state for (state,) in rows]


def _keeps_the_contract(reply: httpx.Response) -> None:
    reply.read()
    if reply.request.method != "HEAD":
        conforms(reply)
    if reply.status_code == 304 or reply.headers["content-type"] == "image/svg+xml":
        return
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-length"]
    if reply.request.method == "HEAD":
        return
    told = reply.json()
    assert told["success"] is (reply.status_code == 200)
    if reply.status_code != 200:
        assert isinstance(told["error"], str)
        assert isinstance(told["message"], str)
    if reply.status_code == 503:
        assert int(reply.headers["retry-after"]) >= 1
    if reply.status_code == 405:
        assert reply.headers["allow"]
