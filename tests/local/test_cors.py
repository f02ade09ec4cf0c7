"""Cross-origin requests, as "Configure CORS for HTTP APIs" has them answered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.local.conftest import Add, serving

ORIGIN = "https://shop.example"
ASKS = {"origin": ORIGIN, "access-control-request-method": "POST"}
ALL = {
    "AllowOrigins": [ORIGIN, "http://localhost:3000"],
    "AllowMethods": ["GET", "POST"],
    "AllowHeaders": ["authorization", "x-tag"],
    "ExposeHeaders": ["date", "x-own"],
    "MaxAge": 300,
    "AllowCredentials": True,
}
CODE = """
def handler(event, context):
    own = {"Access-Control-Allow-Origin": "https://own.example", "x-own": "yes",
           "access-control-max-age": "1", "Access-Control-Allow-Credentials": "false"}
    return {"statusCode": 200, "headers": own, "body": event["routeKey"]}
"""


def cors_of(reply: httpx.Response) -> Mapping[str, str]:
    start = "access-control-"
    return {name: value for name, value in reply.headers.items() if name.startswith(start)}


@pytest.mark.parametrize("routes", [["POST /buy"], ["POST /buy", "$default"], ["ANY /{proxy+}"]])
async def test_a_preflight_is_answered_by_the_gateway_whatever_the_routes(
    add: Add, tmp_path: Path, routes: list[str]
) -> None:
    code = "def handler(event, context):\n    raise AssertionError\n"
    add("Buy", *routes, code=code, api={"CorsConfiguration": ALL})
    async with serving(tmp_path) as client:
        for path in ("/buy", "/nowhere"):
            reply = await client.options(path, headers=ASKS)
            assert (reply.status_code, reply.content) == (204, b"")
            assert cors_of(reply) == {
                "access-control-allow-credentials": "true",
                "access-control-allow-headers": "authorization,x-tag",
                "access-control-allow-methods": "GET,POST",
                "access-control-allow-origin": ORIGIN,
                "access-control-max-age": "300",
            }


async def test_the_gateways_cors_replaces_the_functions(add: Add, tmp_path: Path) -> None:
    """Also for who sends no Origin, and hears none."""
    add("Buy", "POST /buy", code=CODE, api={"CorsConfiguration": ALL})
    async with serving(tmp_path) as client:
        reply = await client.post("/buy", headers={"origin": ORIGIN})
        assert cors_of(reply) == {
            "access-control-allow-credentials": "true",
            "access-control-allow-origin": ORIGIN,
            "access-control-expose-headers": "date,x-own",
        }
        assert reply.headers["x-own"] == "yes"
        assert cors_of(await client.post("/buy")) == {}
        assert cors_of(await client.post("/buy", headers={"origin": "https://x"})) == {}


@pytest.mark.parametrize(
    ("given", "origin", "told"),
    [
        (True, ORIGIN, "*"),
        (ORIGIN, ORIGIN, ORIGIN),
        ({"AllowOrigins": ["*"]}, ORIGIN, "*"),
        ({"AllowOrigins": ["https://*"]}, ORIGIN, ORIGIN),
        ({"AllowOrigins": ["https://*"]}, "http://shop.example", None),
        ({"AllowOrigins": ["http://*"]}, "http://shop.example", "http://shop.example"),
        ({"AllowOrigins": [ORIGIN]}, ORIGIN + ".evil.example", None),
        ({"AllowOrigins": [ORIGIN]}, "null", None),
        ({"AllowMethods": ["GET"]}, ORIGIN, None),
    ],
)
async def test_which_origins_are_allowed(
    add: Add, tmp_path: Path, given: Any, origin: str, told: str | None
) -> None:
    add("Buy", "POST /buy", code=CODE, api={"CorsConfiguration": given})
    async with serving(tmp_path) as client:
        reply = await client.options("/buy", headers={**ASKS, "origin": origin})
        assert reply.status_code == 204
        assert reply.headers.get("access-control-allow-origin") == told
        reply = await client.post("/buy", headers={"origin": origin})
        assert (reply.status_code, reply.text) == (200, "POST /buy")
        assert reply.headers.get("access-control-allow-origin") == told


async def test_options_that_is_no_preflight_is_a_request_like_any_other(
    add: Add, tmp_path: Path
) -> None:
    add("Buy", "POST /buy", "OPTIONS /other", code=CODE, api={"CorsConfiguration": ALL})
    async with serving(tmp_path) as client:
        for headers in ({}, {"origin": ORIGIN}, {"access-control-request-method": "POST"}):
            reply = await client.options("/buy", headers=headers)
            assert (reply.status_code, reply.text) == (404, '{"message":"Not Found"}')
            assert (await client.options("/other", headers=headers)).text == "OPTIONS /other"
        assert (await client.options("/other", headers=ASKS)).status_code == 204


async def test_without_cors_in_the_template_a_function_answers_for_itself(
    add: Add, tmp_path: Path
) -> None:
    add("Buy", "POST /buy", "OPTIONS /buy", code=CODE)
    async with serving(tmp_path) as client:
        reply = await client.options("/buy", headers=ASKS)
        assert (reply.status_code, reply.text) == (200, "OPTIONS /buy")
        assert reply.headers["access-control-allow-origin"] == "https://own.example"


async def test_a_default_route_with_an_authorizer_takes_preflights_too(
    add: Add, tmp_path: Path
) -> None:
    """And one for OPTIONS that has none lets them through: the section of the page on a $default
    route and an authorizer."""
    jwt = {"issuer": "http://127.0.0.1:1", "audience": ["a"]}
    source = "$request.header.Authorization"
    auth = {
        "DefaultAuthorizer": "Tokens",
        "Authorizers": {"Tokens": {"IdentitySource": source, "JwtConfiguration": jwt}},
    }
    add("All", "$default", code=CODE, api={"CorsConfiguration": ALL, "Auth": auth})
    async with serving(tmp_path) as client:
        assert (await client.options("/buy", headers=ASKS)).status_code == 401
    add("Ask", "OPTIONS /{proxy+}", code=CODE, event={"Auth": {"Authorizer": "NONE"}})
    async with serving(tmp_path) as client:
        assert (await client.options("/buy", headers=ASKS)).status_code == 204
        assert (await client.post("/buy", headers=ASKS)).status_code == 401
