"""A short part of the contract, held to Lambda's own runtime whatever the rest is held to; all of
it is by `pytest tests/contract --runtime lambda`."""

from collections.abc import Iterator

import httpx
import pytest

from tests.contract.site import Site, Stores, running_site

ITEM = 9_999  # of no other test


@pytest.fixture(scope="module")
def cloud(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("lambda") / "gateway"
    with running_site(folder, stores.environment(), runtime="lambda") as made:
        yield made
    assert "Traceback" not in made.output.read_text()


def test_a_purchase_from_its_code_to_its_repeat(cloud: Site) -> None:
    with httpx.Client(base_url=cloud.url, timeout=20) as client:
        codes = []
        for buyer in ("first", "second"):
            reply = client.post("/checkout", params={"user_id": buyer, "id": ITEM})
            assert reply.status_code == 200, reply.text
            codes.append(reply.json()["checkout_code"])
        bought = client.post("/purchase", params={"code": codes[0]})
        assert bought.status_code == 200, bought.text
        assert client.post("/purchase", params={"code": codes[0]}).json() == bought.json()
        refused = client.post("/purchase", params={"code": codes[1]})
        assert (refused.status_code, refused.json()["message"]) == (409, "item sold out")
    routes = [line["route"] for line in cloud.log_lines() if line.get("message") == "request"]
    assert routes == ["POST /checkout"] * 2 + ["POST /purchase"] * 3


def test_what_is_no_purchase(cloud: Site) -> None:
    with httpx.Client(base_url=cloud.url, timeout=20) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/stats").json()["stats"]["total_items"] == "10000"
        assert client.post("/checkout", params={"user_id": "a", "id": "01"}).status_code == 400
        assert client.post("/purchase", params={"code": "forged"}).status_code == 400
        assert client.get("/nowhere").json()["error"] == "not_found"
        assert client.get("/purchase").headers["allow"] == "POST"
