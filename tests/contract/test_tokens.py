"""A shop whose buyers have tokens: the gateway's authorizer and the functions, together."""

from collections.abc import Iterator

import httpx
import pytest

from tests.contract.conftest import Fresh
from tests.contract.site import Site, Stores, running_site
from tests.local.issuer import AUDIENCE, Issuer
from tests.with_tokens import with_tokens


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def guarded(
    stores: Stores, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tokens")
    template = with_tokens(folder, issuer=issuer.url, audience=AUDIENCE)
    environment = stores.environment()
    with running_site(folder / "gateway", environment, template=template, runtime="local") as made:
        yield made


def post(site: Site, path: str, *, token: str | None = None, **query: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    shown = {name: str(value) for name, value in query.items()}
    return httpx.post(f"{site.url}{path}", params=shown, headers=headers, timeout=20)


def test_a_buyer_buys_with_a_token_of_their_own(
    guarded: Site, issuer: Issuer, fresh: Fresh
) -> None:
    buyer, item = fresh()
    token = issuer.token(sub=buyer)
    reply = post(guarded, "/checkout", token=token, user_id=buyer, id=item)
    assert reply.status_code == 200, reply.text
    code = reply.json()["checkout_code"]
    first, again = (post(guarded, "/purchase", token=token, code=code) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()


def test_nobody_buys_in_another_s_name(guarded: Site, issuer: Issuer, fresh: Fresh) -> None:
    buyer, item = fresh()
    mine, theirs = issuer.token(sub=buyer), issuer.token(sub="eve")
    refused = post(guarded, "/checkout", token=theirs, user_id=buyer, id=item)
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
    code = post(guarded, "/checkout", token=mine, user_id=buyer, id=item).json()["checkout_code"]
    stolen = post(guarded, "/purchase", token=theirs, code=code)
    assert (stolen.status_code, stolen.json()["error"]) == (403, "forbidden")
    assert post(guarded, "/purchase", token=mine, code=code).status_code == 200


def test_a_token_that_is_none_is_no_sale(guarded: Site, issuer: Issuer, fresh: Fresh) -> None:
    buyer, item = fresh()
    tokens = {
        "none": None,
        "expired": issuer.token(sub=buyer, exp=1_600_000_000),
        "another audience's": issuer.token(sub=buyer, aud="elsewhere"),
        "another issuer's": issuer.token(sub=buyer, iss="https://elsewhere.example"),
        "signed by another key": issuer.token(sub=buyer, key=2, kid="key-1"),
        "no token": "x" * 40,
    }
    for name, token in tokens.items():
        reply = post(guarded, "/checkout", token=token, user_id=buyer, id=item)
        assert reply.status_code == 401, name
        assert reply.json() == {"message": "Unauthorized"}
        assert post(guarded, "/purchase", token=token, code="x" * 100).status_code == 401, name
    # A token without a subject is nobody's.
    reply = post(guarded, "/checkout", token=issuer.token(), user_id=buyer, id=item)
    assert (reply.status_code, reply.json()["error"]) == (401, "unauthorized")


def test_looking_wants_no_token(guarded: Site) -> None:
    for path in ("/stats", "/health", "/items?limit=1", "/items/1"):
        assert httpx.get(guarded.url + path).status_code == 200
