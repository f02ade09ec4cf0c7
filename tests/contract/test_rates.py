"""What a client hears that asks too often."""

from collections.abc import Iterator

import httpx
import pytest

from tests.contract.conftest import Fresh, checkout
from tests.contract.site import Site, Stores, running_site


@pytest.fixture(scope="module")
def strict(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site where a buyer may ask for three things, and then for one a second."""
    limits = {"RATE_BUYER": "1", "RATE_BUYER_BURST": "3"}
    folder = tmp_path_factory.mktemp("strict") / "gateway"
    with running_site(folder, {**stores.environment(), **limits}) as made:
        yield made


def test_a_buyer_in_a_hurry_is_told_to_wait_and_nobody_else_is(strict: Site, fresh: Fresh) -> None:
    buyer, item = fresh()
    url = f"{strict.url}/checkout?user_id={buyer}&id={item}"
    # A connection each: the processes that share the port all get some.
    replies = [httpx.post(url) for _ in range(8)]
    assert [reply.status_code for reply in replies[:3]] == [200] * 3
    refused = [reply for reply in replies if reply.status_code == 429]
    assert len(refused) >= 4  # a slow machine may take a second for all of them
    for reply in refused:
        told = reply.json()
        assert told == {
            "success": False,
            "error": "rate_limited",
            "message": "too many requests, slow down",
        }
        assert reply.headers["retry-after"] == "1"
        assert reply.headers["ratelimit-limit"] == "3"
        assert reply.headers["ratelimit-remaining"] == "0"
        assert reply.headers["ratelimit-reset"] == "1"
    other, item = fresh()
    with httpx.Client(base_url=strict.url) as client:
        code = checkout(client, other, item)
        assert client.post("/purchase", params={"code": code}).status_code == 200


def test_a_refusal_is_in_the_log_by_its_kind(strict: Site, fresh: Fresh) -> None:
    buyer, item = fresh()
    url = f"{strict.url}/checkout?user_id={buyer}&id={item}"
    # Not the last one by all means: a slow machine may have given it a second.
    assert 429 in [httpx.post(url).status_code for _ in range(8)]
    assert any(
        line.get("outcome") == "rate_limited" and line["status"] == 429
        for line in strict.log_lines()
    )
