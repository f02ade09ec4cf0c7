"""A code is a ticket of ours, for one purchase, in its own time: anything else is told why not."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from flashsale.codes import CodeSigner
from flashsale.model import Calendar, Sale

from tests.contract.conftest import Fresh
from tests.contract.site import CODE_KEYS, Site, Stores

INVALID = {"success": False, "error": "invalid_code", "message": "invalid checkout code"}


@pytest.fixture
def sale(site: Site) -> Sale:
    """The sale that is on."""
    return Calendar(site.settings.sale_seconds, 10_000).sale_at(time.time())


def mint(sale: Sale, fresh: Fresh, *, expires_at: int, keys: str = CODE_KEYS) -> str:
    """A code such as the service itself would have minted, at another time or with other keys."""
    buyer, item = fresh()
    return CodeSigner.parse(keys).mint(
        starts_at=sale.starts_at, item=item, expires_at=expires_at, buyer=buyer
    )


def test_every_damaged_character_makes_a_code_invalid(client: httpx.Client, code: str) -> None:
    for place in range(len(code)):
        damaged = code[:place] + ("A" if code[place] != "A" else "B") + code[place + 1 :]
        reply = client.post("/purchase", params={"code": damaged})
        for _ in range(5):
            if reply.status_code != 503:
                break
            # Where keys rotate, the one that it names now may have been made this very second.
            time.sleep(int(reply.headers["retry-after"]))
            reply = client.post("/purchase", params={"code": damaged})
        assert (reply.status_code, reply.json()) == (400, INVALID)
    assert client.post("/purchase", params={"code": code}).status_code == 200


def test_a_code_has_one_spelling(client: httpx.Client, code: str) -> None:
    """Its end cut off, more added, its spare bits set, another alphabet, or a line break."""
    raw = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
    others = [code[:-1], code[:60], code + "A", code + "=", f"{code}\n", f" {code}", code * 2, "a"]
    others += [base64.urlsafe_b64encode(raw + b"\0").decode().rstrip("="), code.lower()]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others += [code[:-1] + last for last in alphabet]
    for other in set(others) - {code}:
        reply = client.post("/purchase", params={"code": other})
        assert (reply.status_code, reply.json()["success"]) == (400, False)
        assert reply.json()["error"] in ("invalid_code", "malformed")


def test_a_code_of_another_key_is_invalid(client: httpx.Client, sale: Sale, fresh: Fresh) -> None:
    for keys in ("7:" + "00" * 32, "8:" + "c0de" * 16):
        forged = mint(sale, fresh, expires_at=sale.ends_at, keys=keys)
        reply = client.post("/purchase", params={"code": forged})
        assert (reply.status_code, reply.json()) == (400, INVALID)


def test_a_code_of_our_key_is_good_whoever_minted_it(
    client: httpx.Client, sale: Sale, fresh: Fresh
) -> None:
    """The codes of these tests are as good as the service's own."""
    good = mint(sale, fresh, expires_at=sale.ends_at)
    assert client.post("/purchase", params={"code": good}).status_code == 200


def test_an_expired_code_is_gone(client: httpx.Client, sale: Sale, fresh: Fresh) -> None:
    late = mint(sale, fresh, expires_at=sale.starts_at + 1)
    for _ in range(2):
        reply = client.post("/purchase", params={"code": late})
        told = {"success": False, "error": "code_expired", "message": "checkout code expired"}
        assert (reply.status_code, reply.json()) == (410, told)


def test_a_code_of_a_sale_that_is_over_is_gone(
    client: httpx.Client, sale: Sale, site: Site, fresh: Fresh
) -> None:
    for sales_ago in (1, 500):
        starts_at = sale.starts_at - sales_ago * site.settings.sale_seconds
        over = Sale(starts_at, starts_at + site.settings.sale_seconds, 10_000)
        reply = client.post(
            "/purchase", params={"code": mint(over, fresh, expires_at=over.ends_at)}
        )
        assert (reply.status_code, reply.json()["success"]) == (410, False)
        assert reply.json()["error"] == "sale_ended"
        assert reply.json()["message"] == "sale has ended"


def test_a_code_of_a_sale_to_come_has_to_wait(
    client: httpx.Client, sale: Sale, site: Site, fresh: Fresh
) -> None:
    soon = Sale(sale.ends_at, sale.ends_at + site.settings.sale_seconds, 10_000)
    reply = client.post("/purchase", params={"code": mint(soon, fresh, expires_at=soon.ends_at)})
    assert (reply.status_code, reply.json()["error"]) == (503, "sale_not_ready")


def test_a_code_sent_many_times_at_once_is_one_purchase(
    client: httpx.Client, site: Site, stores: Stores, code: str
) -> None:
    """By twenty clients, of either process: twenty equal answers, one row."""

    def send(_: int) -> httpx.Response:
        return httpx.post(f"{site.url}/purchase", params={"code": code}, timeout=20)

    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(send, range(20)))
    assert {reply.status_code for reply in replies} == {200}
    (purchase_id,) = {reply.json()["purchase_id"] for reply in replies}
    rows = stores.sql("select state from purchases where purchase_id = :id", id=purchase_id)
    assert rows == [["sold"]]
