"""The original's README, word for word: every request it shows gets the reply it shows."""

import re
import time
from collections.abc import Callable
from itertools import islice

import httpx
import pytest

from tests.contract.conftest import Fresh, checkout
from tests.contract.site import Site, eventually


def test_health(client: httpx.Client) -> None:
    before = int(time.time())
    reply = client.get("/health")
    assert reply.status_code == 200
    told = reply.json()
    assert (told["success"], told["message"]) == (True, "Service is healthy")
    assert before <= told["timestamp"] <= time.time()


def test_stats(client: httpx.Client, site: Site) -> None:
    """All of its numbers are strings."""
    reply = client.get("/stats")
    assert reply.status_code == 200
    told = reply.json()
    assert told.keys() == {"success", "sale_id", "stats"}
    stats = told["stats"]
    assert list(stats) == [
        "start_time",
        "end_time",
        "total_items",
        "items_sold",
        "current_inventory",
    ]
    assert all(re.fullmatch(r"[0-9]+", value) for value in stats.values())
    assert re.fullmatch(rf"sale_{stats['start_time']}_[0-9a-f]{{8}}", told["sale_id"])
    assert int(stats["end_time"]) - int(stats["start_time"]) == site.settings.sale_seconds
    assert stats["total_items"] == "10000"
    assert int(stats["items_sold"]) + int(stats["current_inventory"]) == 10_000


def test_a_sale_counts_in_the_stats(client: httpx.Client, code: str) -> None:
    def sold() -> int:
        return int(client.get("/stats").json()["stats"]["items_sold"])

    before = sold()
    assert client.post("/purchase", params={"code": code}).status_code == 200
    eventually(lambda: sold() == before + 1)


def test_checkout(client: httpx.Client, fresh: Fresh) -> None:
    buyer, item = fresh()
    reply = client.post(f"/checkout?user_id={buyer}&id={item}")
    assert reply.status_code == 200
    told = reply.json()
    assert re.fullmatch(r"[A-Za-z0-9_-]{32,}", told.pop("checkout_code"))
    assert told == {"success": True, "message": "Checkout session created successfully"}


def test_purchase(client: httpx.Client, code: str) -> None:
    reply = client.post(f"/purchase?code={code}")
    assert reply.status_code == 200
    told = reply.json()
    assert re.fullmatch(r"purchase_[0-9a-f]{16}", told.pop("purchase_id"))
    assert told == {"success": True, "message": "Purchase completed successfully"}


def test_the_eleventh_purchase_exceeds_the_limit(client: httpx.Client, fresh: Fresh) -> None:
    """With a code from before; and then at the checkout, too."""
    buyer, _ = fresh()
    codes = [checkout(client, buyer, item) for _, item in islice(iter(fresh, None), 11)]
    replies = [client.post("/purchase", params={"code": code}) for code in codes]
    assert [reply.status_code for reply in replies] == [200] * 10 + [409]
    assert len({reply.json()["purchase_id"] for reply in replies[:10]}) == 10
    exceeded = {
        "success": False,
        "error": "limit_exceeded",
        "message": "user purchase limit exceeded",
    }
    assert replies[10].json() == exceeded
    _, item = fresh()
    becomes(lambda: client.post(f"/checkout?user_id={buyer}&id={item}"), 409, exceeded)


def test_a_sold_item_is_sold_out(client: httpx.Client, fresh: Fresh) -> None:
    """For a code from before, however often it is sent; and then at the checkout, too."""
    (winner, item), (loser, _) = fresh(), fresh()
    codes = [checkout(client, buyer, item) for buyer in (winner, loser)]
    assert client.post("/purchase", params={"code": codes[0]}).status_code == 200
    sold_out = {"success": False, "error": "sold_out", "message": "item sold out"}
    for _ in range(2):
        reply = client.post("/purchase", params={"code": codes[1]})
        assert (reply.status_code, reply.json()) == (409, sold_out)
    becomes(lambda: client.post(f"/checkout?user_id={loser}&id={item}"), 409, sold_out)


@pytest.mark.parametrize("times", [1, 3])
def test_a_purchase_repeated_is_the_same_purchase(
    client: httpx.Client, code: str, times: int
) -> None:
    """Each time on a connection of its own, and so by either process."""
    first = client.post("/purchase", params={"code": code})
    for _ in range(times):
        again = httpx.post(client.base_url.join("/purchase"), params={"code": code})
        assert (again.status_code, again.json()) == (200, first.json())


def becomes(ask: Callable[[], httpx.Response], status: int, told: object) -> None:
    """A checkout hears of a sale as soon as the gate has been told, behind the buyer's reply."""
    eventually(lambda: ask().status_code == status)
    assert ask().json() == told
