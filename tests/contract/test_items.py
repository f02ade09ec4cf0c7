"""What is on sale: 10,000 unique items with names and pictures, page by page or one by one."""

import re
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Fresh, checkout
from tests.contract.site import eventually


def page_through(client: httpx.Client, *, limit: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        reply = client.get("/items", params={"after": after, "limit": limit})
        assert reply.status_code == 200
        assert reply.json()["total_items"] == 10_000
        assert len(reply.json()["items"]) == min(limit, 10_000 - after)
        items += reply.json()["items"]
        after = reply.json()["next"]
    return items


@pytest.mark.parametrize("limit", [1_000, 789])
def test_the_pages_hold_every_item_once(client: httpx.Client, limit: int) -> None:
    items = page_through(client, limit=limit)
    assert [item["id"] for item in items] == list(range(1, 10_001))
    assert all(item.keys() == {"id", "name", "image", "sold"} for item in items)
    assert len({item["name"] for item in items}) == 10_000
    assert len({item["image"] for item in items}) == 10_000


def test_a_page_is_a_hundred_items_unless_asked_and_a_thousand_at_most(
    client: httpx.Client,
) -> None:
    assert len(client.get("/items").json()["items"]) == 100
    assert len(client.get("/items?limit=5000").json()["items"]) == 1_000
    for after in (10_000, 123_456):
        assert client.get(f"/items?after={after}").json()["items"] == []
        assert client.get(f"/items?after={after}").json()["next"] is None


def test_an_item_alone_is_as_on_its_page(client: httpx.Client) -> None:
    page = client.get("/items?after=41&limit=1").json()
    alone = client.get("/items/42").json()
    assert alone["item"] == page["items"][0]
    assert alone["sale_id"] == page["sale_id"] == client.get("/stats").json()["sale_id"]


def test_a_sold_item_says_so_on_its_page_and_alone(client: httpx.Client, fresh: Fresh) -> None:
    buyer, item = fresh()
    assert client.get(f"/items/{item}").json()["item"]["sold"] is False
    code = checkout(client, buyer, item)
    assert client.post("/purchase", params={"code": code}).status_code == 200
    eventually(lambda: client.get(f"/items/{item}").json()["item"]["sold"] is True)
    page = client.get("/items", params={"after": item - 1, "limit": 1}).json()
    assert page["items"][0]["sold"] is True


@pytest.mark.parametrize("number", [1, 42, 10_000])
def test_an_image_is_a_picture_that_a_browser_keeps(client: httpx.Client, number: int) -> None:
    item = client.get(f"/items/{number}").json()["item"]
    image = client.get(item["image"])
    assert image.status_code == 200
    assert image.headers["content-type"] == "image/svg+xml"
    assert image.text.startswith("<svg ")
    assert "immutable" in image.headers["cache-control"]
    assert "default-src 'none'" in image.headers["content-security-policy"]
    etag = image.headers["etag"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag)

    for seen in (etag, f'"other", {etag}', f"W/{etag}"):
        unchanged = client.get(item["image"], headers={"If-None-Match": seen})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["etag"] == etag
        assert "content-length" not in unchanged.headers
    changed = client.get(item["image"], headers={"If-None-Match": '"other"'})
    assert (changed.status_code, changed.text) == (200, image.text)


def test_images_differ_and_no_sale_has_the_pictures_of_another(client: httpx.Client) -> None:
    items = client.get("/items?limit=50").json()["items"]
    assert len({client.get(item["image"]).headers["etag"] for item in items}) == 50
    start = int(client.get("/stats").json()["stats"]["start_time"])
    assert client.get(f"/items/1/image?sale={start}").text == client.get("/items/1/image").text
    assert client.get(f"/items/1/image?sale={start + 1}").status_code == 404
