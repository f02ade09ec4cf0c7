"""Checks bearer tokens as "Control access to HTTP APIs with JWT authorizers" describes it.

The issuer's keys are found by OpenID Connect discovery and kept for two hours; a token that names a
key not seen yet makes them be fetched again, though not more often than every ten seconds, and an
issuer that does not answer is asked once a second.
"""

import asyncio
import contextlib
import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import parse_qs

import jwt

from local.httpapi import JwtAuthorizer

# "Currently, only RSA-based algorithms are supported"; a key of any other kind is none of ours.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
KEYS_SECONDS = 7_200
REFETCH_SECONDS, RETRY_SECONDS = 10, 1
ANSWER_BYTES_MAX = 150_000
ANSWER_SECONDS_MAX = 1.5
TOKEN_BYTES_MAX = 8_192

# What reading a document raises that is not of the form it should have.
_NO_DOCUMENT = (ValueError, LookupError, TypeError, AttributeError)


class UnauthorizedError(Exception):
    """No valid token: 401. The message is its `error_description`; empty if there was none."""


class ForbiddenError(Exception):
    """A valid token without any of the route's scopes: 403."""


class Authorizer:
    """One JWT authorizer, with its issuer's keys."""

    def __init__(self, spec: JwtAuthorizer, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.spec = spec
        self._clock = clock
        self._keys: dict[str, _Key] = {}
        self._good_until = -math.inf
        self._asked_until = -math.inf  # till then the issuer is not asked again
        self._answered = True
        self._asking = asyncio.Lock()

    async def authorize(
        self, headers: list[tuple[bytes, bytes]], query: bytes, scopes: tuple[str, ...]
    ) -> dict[str, Any]:
        """The claims of a request's token, and which of the route's scopes it has, as
        `requestContext.authorizer.jwt` shows them.

        Raises:
            UnauthorizedError: there is no token, or it is not valid.
            ForbiddenError: it has none of the scopes.
        """
        claims = await self._claims(self._token(headers, query))
        granted = [scope for scope in scopes if scope in _scopes(claims)]
        if scopes and not granted:
            raise ForbiddenError
        shown = {name: _shown(value) for name, value in claims.items()}
        return {"claims": shown, "scopes": granted if scopes else None}

    def _token(self, headers: list[tuple[bytes, bytes]], query: bytes) -> str:
        place, name = self.spec.source
        if place == "header":
            wanted = name.encode("latin-1")
            given = [value.decode("latin-1") for key, value in headers if key.lower() == wanted]
        else:
            given = parse_qs(query.decode("latin-1")).get(name, [])
        if len(given) != 1 or not given[0].strip():
            raise UnauthorizedError
        kind, _, token = given[0].strip().partition(" ")
        return token.strip() if kind.lower() == "bearer" else given[0].strip()

    async def _claims(self, token: str) -> Mapping[str, Any]:
        if len(token) > TOKEN_BYTES_MAX:
            raise UnauthorizedError("the token is too long")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise UnauthorizedError("the token's signing method is invalid")
            key = await self._key(header.get("kid"))
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm] if key.algorithm else ALGORITHMS,
                issuer=self.spec.issuer,
                options={
                    "require": ["exp", "iss"],
                    "verify_aud": False,  # client_id may stand in for it
                    "verify_sub": False,
                    "verify_jti": False,
                },
            )
        except jwt.ExpiredSignatureError:
            raise UnauthorizedError("the token has expired") from None
        except jwt.ImmatureSignatureError:
            raise UnauthorizedError("the token is not valid yet") from None
        except jwt.InvalidIssuerError:
            raise UnauthorizedError("the token does not have a valid issuer") from None
        except jwt.PyJWTError:
            raise UnauthorizedError("the token is invalid") from None
        self._check_audience(claims)
        return claims

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        """`client_id` stands in for `aud` only where that is not present."""
        given = claims["aud"] if "aud" in claims else claims.get("client_id")
        audiences = given if isinstance(given, list) else [given]
        if not any(audience in self.spec.audience for audience in audiences):
            raise UnauthorizedError("the token does not have a valid audience")

    async def _key(self, name: object) -> "_Key":
        if not isinstance(name, str):
            raise UnauthorizedError("the token names no key")
        if self._should_ask(name):
            async with self._asking:  # one request for all who wait for it
                if self._should_ask(name):
                    await self._ask()
        if self._is_kept(name):
            return self._keys[name]
        if not self._answered:
            raise UnauthorizedError("OIDC discovery endpoint communication error")
        raise UnauthorizedError("the token names a key that the issuer does not have")

    def _is_kept(self, name: str) -> bool:
        return name in self._keys and self._clock() < self._good_until

    def _should_ask(self, name: str) -> bool:
        return not self._is_kept(name) and self._clock() >= self._asked_until

    async def _ask(self) -> None:
        """Ask the issuer for its keys. If it gives none, those that are kept stay good for as long
        as they would have."""
        try:
            about = await _get(f"{self.spec.issuer.rstrip('/')}/.well-known/openid-configuration")
            self._keys = _keys(await _get(str(about["jwks_uri"])))
        except (OSError, HTTPException, *_NO_DOCUMENT) as error:
            self._answered = False
            self._asked_until = self._clock() + RETRY_SECONDS
            _log(self.spec, error)
            return
        self._answered = True
        self._good_until = self._clock() + KEYS_SECONDS
        self._asked_until = self._clock() + REFETCH_SECONDS


def _log(spec: JwtAuthorizer, error: Exception) -> None:
    from flashsale.logs import logger

    told = {"authorizer": spec.name, "issuer": spec.issuer, "fault": repr(error)}
    logger().error("the issuer gives no keys", extra=told)


@dataclass(frozen=True)
class _Key:
    public: Any
    algorithm: str | None  # the only one that it is for, if its issuer says so


def _keys(document: Any) -> dict[str, _Key]:
    """The keys of a JSON Web Key Set that may have signed a token, by their names."""
    found = {}
    for given in document["keys"]:
        if given.get("kty") != "RSA" or given.get("use", "sig") != "sig":
            continue
        algorithm = given.get("alg")
        if "kid" in given and algorithm in (None, *ALGORITHMS):
            # One that is damaged harms no other.
            with contextlib.suppress(jwt.PyJWTError, *_NO_DOCUMENT):
                found[str(given["kid"])] = _Key(
                    jwt.PyJWK(given, algorithm or "RS256").key, algorithm
                )
    return found


def _scopes(claims: Mapping[str, Any]) -> set[str]:
    given = claims.get("scope", claims.get("scp"))
    if isinstance(given, str):
        return set(given.split())
    return {each for each in given if isinstance(each, str)} if isinstance(given, list) else set()


def _shown(value: Any) -> str:
    """A claim as API Gateway shows it to a function: always a string, a list as `[a b]`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{' '.join(map(_shown, value))}]"
    return json.dumps(value)


async def _get(url: str) -> Any:
    """A JSON document over HTTP. Raises `OSError` or `ValueError` if there is none in time."""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url} is not of the web")

    def read() -> bytes:
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310
                content: bytes = answer.read(ANSWER_BYTES_MAX + 1)
                return content
        except urllib.error.HTTPError as error:
            with error:  # it holds the connection
                raise OSError(f"{url} answers {error.code}") from None

    content = await asyncio.wait_for(asyncio.to_thread(read), ANSWER_SECONDS_MAX)
    if len(content) > ANSWER_BYTES_MAX:
        raise ValueError(f"{url} answers more than {ANSWER_BYTES_MAX} bytes")
    return json.loads(content)
