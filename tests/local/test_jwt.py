"""Who may call a route with a JWT authorizer, and what the function hears of them."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.authorizer import (
    KEYS_SECONDS,
    REFETCH_SECONDS,
    Authorizer,
    ForbiddenError,
    UnauthorizedError,
)
from local.httpapi import JwtAuthorizer
from tests.local.conftest import Add, serving
from tests.local.issuer import AUDIENCE, Issuer, public_jwk, rsa_key, unsigned

CODE = "def handler(event, context):\n    return event['requestContext'].get('authorizer')\n"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


def api(issuer: Issuer, **members: Any) -> dict[str, Any]:
    """An HTTP API whose routes all want a token."""
    configuration = {"issuer": issuer.url, "audience": [AUDIENCE, "other"]}
    authorizer = {
        "IdentitySource": "$request.header.Authorization",
        "JwtConfiguration": configuration,
        **members,
    }
    return {"Auth": {"DefaultAuthorizer": "Tokens", "Authorizers": {"Tokens": authorizer}}}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_the_claims_reach_the_function_as_strings(
    add: Add, tmp_path: Path, issuer: Issuer
) -> None:
    add("Who", "GET /who", code=CODE, api=api(issuer))
    token = issuer.token(
        sub="alice", iat=1_583_348_638, exp=4_000_000_000, admin=True, groups=["a", "b"]
    )
    async with serving(tmp_path) as client:
        for given in (f"Bearer {token}", f"bearer {token}", token):
            reply = await client.get("/who", headers={"Authorization": given})
            assert reply.json() == {
                "jwt": {
                    "claims": {
                        "admin": "true",
                        "aud": AUDIENCE,
                        "exp": "4000000000",
                        "groups": "[a b]",
                        "iat": "1583348638",
                        "iss": issuer.url,
                        "sub": "alice",
                    },
                    "scopes": None,
                }
            }
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_without_a_token_it_is_401(add: Add, tmp_path: Path, issuer: Issuer) -> None:
    add("Who", "GET /who", code=CODE, api=api(issuer))
    twice = [("authorization", "a"), ("authorization", "b")]
    async with serving(tmp_path) as client:
        for headers in ([], [("authorization", "")], [("authorization", "Bearer")], twice):
            reply = await client.get("/who", headers=headers)
            assert (reply.status_code, reply.text) == (401, '{"message":"Unauthorized"}')
            assert reply.headers["content-type"] == "application/json"
            assert reply.headers["www-authenticate"].startswith("Bearer")
    assert issuer.asked == []


Make = Callable[[Issuer], str]
BAD: dict[str, tuple[Make, str]] = {
    "another audience": (
        lambda i: i.token(aud="elsewhere"),
        "the token does not have a valid audience",
    ),
    "no audience": (lambda i: i.token(aud=None), "the token does not have a valid audience"),
    "another client": (
        lambda i: i.token(aud=None, client_id="elsewhere"),
        "the token does not have a valid audience",
    ),
    "an audience before a client": (
        lambda i: i.token(aud="elsewhere", client_id=AUDIENCE),
        "the token does not have a valid audience",
    ),
    "expired": (lambda i: i.token(exp=int(time.time()) - 1), "the token has expired"),
    "without an end": (lambda i: i.token(exp=None), "the token is invalid"),
    "before its time": (lambda i: i.token(nbf=int(time.time()) + 60), "the token is not valid yet"),
    "from the future": (lambda i: i.token(iat=int(time.time()) + 60), "the token is not valid yet"),
    "another issuer": (
        lambda i: i.token(iss="http://elsewhere"),
        "the token does not have a valid issuer",
    ),
    "no issuer": (lambda i: i.token(iss=None), "the token is invalid"),
    "another key": (lambda i: i.token(key=2, kid="key-1"), "the token is invalid"),
    "a key that is not there": (
        lambda i: i.token(key=2),
        "the token names a key that the issuer does not have",
    ),
    "no key": (lambda i: i.token(kid=None), "the token names no key"),
    "no signature": (lambda i: unsigned(i, "RS256"), "the token is invalid"),
    "the algorithm none": (lambda i: unsigned(i, "none"), "the token's signing method is invalid"),
    "a shared secret": (
        lambda i: jwt.encode({"iss": i.url}, "s" * 32, headers={"kid": "key-1"}),
        "the token's signing method is invalid",
    ),
    "no token at all": (lambda i: "what is this", "the token is invalid"),
    "too long": (lambda i: i.token(sub="a" * 9_000), "the token is too long"),
}


@pytest.mark.parametrize(("make", "words"), BAD.values(), ids=BAD)
async def test_a_token_that_is_not_valid_is_401_and_says_why(
    add: Add, tmp_path: Path, issuer: Issuer, make: Make, words: str
) -> None:
    """The header is the one that "Troubleshooting issues with HTTP API JWT authorizers" shows."""
    add("Who", "GET /who", code=CODE, api=api(issuer))
    async with serving(tmp_path) as client:
        reply = await client.get("/who", headers=bearer(make(issuer)))
        assert (await client.get("/who", headers=bearer(issuer.token()))).status_code == 200
    assert (reply.status_code, reply.text) == (401, '{"message":"Unauthorized"}')
    assert reply.headers["www-authenticate"] == (
        f'Bearer scope="" error="invalid_token" error_description="{words}"'
    )


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256"])
async def test_all_rsa_based_algorithms_are_known(
    add: Add, tmp_path: Path, issuer: Issuer, algorithm: str
) -> None:
    """Unless the key is for another one."""
    add("Who", "GET /who", code=CODE, api=api(issuer))
    issuer.keys = [public_jwk(1), public_jwk(2, alg="RS256"), {"kty": "RSA", "kid": "broken"}]
    async with serving(tmp_path) as client:
        token = issuer.token(algorithm=algorithm, aud=None, client_id="other")
        assert (await client.get("/who", headers=bearer(token))).status_code == 200
        token = issuer.token(key=2, algorithm=algorithm)
        told = (await client.get("/who", headers=bearer(token))).status_code
        assert told == (200 if algorithm == "RS256" else 401)


async def test_a_scope_of_the_route_is_enough_and_none_is_403(
    add: Add, tmp_path: Path, issuer: Issuer
) -> None:
    """The route's own scopes hold, or else its authorizer's."""
    one = api(issuer, AuthorizationScopes=["read", "write"])
    add("Any", "GET /any", code=CODE, api=one)
    add("Own", "GET /own", code=CODE, event={"Auth": {"AuthorizationScopes": ["admin"]}})
    add("Open", "GET /open", code=CODE, event={"Auth": {"Authorizer": "NONE"}})
    async with serving(tmp_path) as client:

        async def asked(path: str, **claims: Any) -> httpx.Response:
            return await client.get(path, headers=bearer(issuer.token(**claims)))

        assert (await asked("/any", scope="email write")).json()["jwt"]["scopes"] == ["write"]
        assert (await asked("/any", scp=["read", "write"])).json()["jwt"]["scopes"] == [
            "read",
            "write",
        ]
        assert (await asked("/own", scope="admin read")).json()["jwt"]["scopes"] == ["admin"]
        for path, scope in (("/any", "email"), ("/any", None), ("/own", "read"), ("/any", "reads")):
            reply = await asked(path, scope=scope)
            assert (reply.status_code, reply.text) == (403, '{"message":"Forbidden"}')
            assert 'error="insufficient_scope"' in reply.headers["www-authenticate"]
        assert (await client.get("/open")).json() is None


async def test_a_token_may_stand_in_the_query(add: Add, tmp_path: Path, issuer: Issuer) -> None:
    one = api(issuer, IdentitySource="$request.querystring.token")
    add("Who", "GET /who", code=CODE, api=one)
    async with serving(tmp_path) as client:
        token = issuer.token()
        assert (await client.get("/who", params={"token": token})).status_code == 200
        assert (await client.get("/who", headers=bearer(token))).status_code == 401


async def test_a_plain_route_beside_it_asks_nobody(
    add: Add, tmp_path: Path, issuer: Issuer
) -> None:
    add("Who", "GET /who", code=CODE, api=api(issuer))
    add("Open", "GET /open", code=CODE, event={"Auth": {"Authorizer": "NONE"}})
    issuer.status = 500
    async with serving(tmp_path) as client:
        assert (await client.get("/open", headers=bearer("x"))).status_code == 200
    assert issuer.asked == []


def authorizer(issuer: Issuer, clock: Callable[[], float]) -> Authorizer:
    return Authorizer(JwtAuthorizer("Tokens", issuer.url, (AUDIENCE,)), clock=clock)


async def granted(asked: Authorizer, token: str) -> str:
    """`yes`, or why not."""
    try:
        await asked.authorize([(b"Authorization", token.encode())], b"", ())
    except UnauthorizedError as error:
        return str(error)
    return "yes"


async def test_keys_are_kept_for_two_hours_and_a_new_one_is_fetched(issuer: Issuer) -> None:
    """A crowd with made-up keys makes us ask every ten seconds and no more."""
    now = 1_000.0
    asked = authorizer(issuer, lambda: now)
    unknown = "the token names a key that the issuer does not have"
    assert await granted(asked, issuer.token()) == "yes"
    issuer.keys = [public_jwk(2)]
    for _ in range(3):
        assert await granted(asked, issuer.token(key=2)) == unknown
    assert len(issuer.asked) == 2
    now += REFETCH_SECONDS
    assert await granted(asked, issuer.token(key=2)) == "yes"
    assert await granted(asked, issuer.token()) == unknown
    assert len(issuer.asked) == 4
    now += KEYS_SECONDS - 1
    assert await granted(asked, issuer.token(key=2)) == "yes"
    assert len(issuer.asked) == 4
    now += 1
    assert await granted(asked, issuer.token(key=2)) == "yes"
    assert len(issuer.asked) == 6


async def test_an_issuer_that_is_away_lets_nobody_in_but_who_bears_a_known_key(
    issuer: Issuer,
) -> None:
    """It is asked again a second later."""
    now = 1_000.0
    asked = authorizer(issuer, lambda: now)
    away = "OIDC discovery endpoint communication error"
    issuer.status = 503
    for _ in range(3):
        assert await granted(asked, issuer.token()) == away
    assert len(issuer.asked) == 1
    issuer.status, now = 200, now + 1
    assert await granted(asked, issuer.token()) == "yes"
    issuer.status, now = 503, now + REFETCH_SECONDS
    assert await granted(asked, issuer.token(key=2)) == away
    assert await granted(asked, issuer.token()) == "yes"
    now += KEYS_SECONDS
    assert await granted(asked, issuer.token()) == away


async def test_an_answer_of_more_than_150_000_bytes_is_none(issuer: Issuer) -> None:
    issuer.padding = "a" * 150_000
    asked = authorizer(issuer, time.monotonic)
    assert await granted(asked, issuer.token()) == "OIDC discovery endpoint communication error"


@pytest.mark.parametrize("keys", [[], ["what"], [None], {}, None, [{"kty": "RSA", "kid": 7}]])
async def test_keys_of_another_form_are_none(issuer: Issuer, keys: Any) -> None:
    issuer.keys = keys
    assert await granted(authorizer(issuer, time.monotonic), issuer.token()) != "yes"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["aud", "client_id", "exp", "nbf", "iat", "iss", "sub", "scope", "scp", "x"]
)


def test_whatever_a_token_says_it_is_refused_or_shown_as_strings(issuer: Issuer) -> None:
    """Signed by the issuer itself, or made up."""
    asked = authorizer(issuer, time.monotonic)
    made_up = st.text() | st.text("abc.=_-") | st.just(unsigned(issuer, "RS256"))
    good = jwt.decode(issuer.token(), options={"verify_signature": False})

    def signed(claims: dict[str, Any]) -> str:
        name = {"kid": "key-1"}
        return jwt.api_jws.encode(
            json.dumps({**good, **claims}).encode(), rsa_key(1), "RS256", headers=name
        )

    @settings(max_examples=60, deadline=None)
    @given(made_up | st.dictionaries(NAMES, JSON, max_size=3).map(signed))
    def try_it(token: str) -> None:
        async def authorized() -> dict[str, Any] | None:
            header = (b"authorization", token.encode("latin-1", "replace"))
            try:
                return await asked.authorize([header], b"", ())
            except UnauthorizedError:
                return None

        shown = asyncio.run(authorized())
        if shown is not None:
            assert all(isinstance(value, str) for value in shown["claims"].values())

    try_it()


async def test_a_scope_of_another_form_is_none(issuer: Issuer) -> None:
    asked = authorizer(issuer, time.monotonic)
    for scope in (7, {"read": 1}, [["read"]], True):
        token = issuer.token(scope=scope)
        with pytest.raises(ForbiddenError):
            await asked.authorize([(b"authorization", token.encode())], b"", ("read",))
