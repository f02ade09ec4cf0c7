"""What a client hears while a store is away, and that nothing is lost by it.

That a 503 says when to come back, and is JSON, is minded by `client`.
"""

import httpx
import pytest
from redis import Redis

from tests.contract.conftest import Fresh, checkout, healthy, sells, state
from tests.contract.site import Site, Stores, eventually

RECOVERY_SECONDS_MAX = 5.0  # the design's promise

pytestmark = pytest.mark.usefixtures("mended")


@pytest.mark.parametrize(("store", "other"), [("redis", "postgres"), ("postgres", "redis")])
def test_health_says_which_store_is_away(
    client: httpx.Client, site: Site, stores: Stores, store: str, other: str
) -> None:
    """And is well again soon after its return."""
    server = {"redis": stores.valkey, "postgres": stores.postgres}[store]
    server.kill()
    reply = client.get("/health")
    assert reply.status_code == 503
    told = reply.json()
    assert (told["error"], told["message"]) == ("unavailable", "Service is unhealthy")
    assert isinstance(told["timestamp"], int)
    assert told["checks"][store]["status"] == "down"
    assert told["checks"][store]["problems"]
    assert told["checks"][other]["status"] == "up"
    server.start()
    eventually(lambda: healthy(site), RECOVERY_SECONDS_MAX)


def test_no_purchase_is_acknowledged_without_postgresql(
    client: httpx.Client, site: Site, stores: Stores, code: str, fresh: Fresh
) -> None:
    """Refused neither: the same code sells once PostgreSQL is back."""
    buyer, item = fresh()
    stores.postgres.kill()
    for _ in range(3):
        reply = client.post("/purchase", params={"code": code})
        assert reply.status_code == 503
        assert reply.json()["error"] in ("unavailable", "outcome_unknown")
        # a checkout may go on, if its attempt is safe elsewhere
        reply = client.post("/checkout", params={"user_id": buyer, "id": item})
        assert reply.status_code in (200, 503)
    assert client.get("/items/1").status_code == 200
    stores.postgres.start()

    eventually(lambda: sells(client, code), RECOVERY_SECONDS_MAX)
    assert state(stores, code) == ["sold"]


def test_nothing_is_forgotten_by_a_valkey_that_crashed(
    client: httpx.Client, stores: Stores, code: str, fresh: Fresh
) -> None:
    buyer, item = fresh()
    sold = checkout(client, buyer, item)
    bought = client.post("/purchase", params={"code": sold})
    stores.valkey.kill()
    assert client.post("/purchase", params={"code": code}).status_code in (200, 503)
    assert client.get("/stats").status_code == 200
    stores.valkey.start()

    eventually(lambda: sells(client, code), RECOVERY_SECONDS_MAX)
    assert client.post("/purchase", params={"code": sold}).json() == bought.json()
    assert state(stores, code) == ["sold"]


def test_nothing_is_forgotten_by_a_valkey_that_lost_everything(
    client: httpx.Client, stores: Stores, code: str, fresh: Fresh
) -> None:
    """The sale is read back from the ledger, by whoever needs it first."""
    buyer, item = fresh()
    sold = checkout(client, buyer, item)
    late = checkout(client, "late-comer", item)
    bought = client.post("/purchase", params={"code": sold}).json()
    with Redis.from_url(stores.valkey.url) as redis:
        redis.flushall()
    assert client.post("/purchase", params={"code": late}).status_code == 409
    assert client.post("/purchase", params={"code": sold}).json() == bought
    assert client.post("/purchase", params={"code": code}).status_code == 200
    ((rows,),) = stores.sql("select count(*) from purchases where state = 'sold'")

    def items_sold() -> int:
        return int(client.get("/stats").json()["stats"]["items_sold"])

    eventually(lambda: items_sold() == rows)
