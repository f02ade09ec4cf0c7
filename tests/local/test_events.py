"""Our event is judged by Mangum: what an application behind it sees is what the client sent.

docs/GATEWAY.md lists where AWS's documentation of payload format 2.0 and Mangum differ, or either
is silent.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mangum import Mangum
from starlette.datastructures import QueryParams
from starlette.responses import Response

from local.events import to_event, to_response

ROUTE = "ANY /{proxy+}"
NAMES = st.sampled_from(["accept", "X-Tag", "x-tag", "If-None-Match", "USER-AGENT", "content-type"])
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip)
COOKIES = st.from_regex(r"[a-z]{1,5}=[A-Za-z0-9%/]{0,8}(; [a-z]=[0-9])?", fullmatch=True)
PATHS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="%"), max_size=20)
QUERIES = st.one_of(
    st.lists(st.tuples(st.text(max_size=3), st.text(max_size=5)), max_size=4).map(urlencode),
    st.lists(
        st.sampled_from(["a=1", "a=2", "a", "a=", "=", "", "b=%2C", "b=x+y", "%61=%ZZ", "c=;"])
    ).map("&".join),
)
BODIES = st.one_of(st.just(b""), st.text(max_size=20).map(str.encode), st.binary(max_size=20))


@pytest.fixture(scope="module", autouse=True)
def _loop() -> Iterator[None]:
    """Mangum wants a current event loop of the thread."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@st.composite
def scopes(draw: st.DrawFn) -> dict[str, Any]:
    """What a server makes of a request: the path decoded, all else raw."""
    headers = [(b"host", b"shop.example:8080")]
    headers += [
        (name.encode(), value.encode())
        for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=5))
    ]
    headers += [(b"Cookie", cookie.encode()) for cookie in draw(st.lists(COOKIES, max_size=2))]
    raw_path = "/" + quote(draw(PATHS), safe=draw(st.sampled_from(["/", "", "/+:@"])))
    return {
        "type": "http",
        "http_version": "1.1",
        "method": draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])),
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": draw(QUERIES).encode(),
        "headers": headers,
        "client": ("203.0.113.7", 4_711),
        "path_params": {"proxy": unquote(raw_path)[1:]},
    }


FORWARDED = {
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-port": "8080",
    "x-forwarded-proto": "http",
}


@given(scopes(), BODIES)
def test_an_application_behind_mangum_sees_the_request_that_was_sent(
    scope: dict[str, Any], body: bytes
) -> None:
    seen, content = through_mangum(to_event(scope, body, route_key=ROUTE))
    for part in ("method", "path", "query_string"):
        assert seen[part] == scope[part]
    told = dict(decoded(seen["headers"]))
    assert {name: told.pop(name) for name in FORWARDED} == FORWARDED
    assert told.pop("x-amzn-trace-id").startswith("Root=1-")
    assert told == combined(decoded(scope["headers"]))
    assert seen["client"][0] == "203.0.113.7"
    assert seen["scheme"] == "http"
    assert content == body


@given(scopes(), BODIES)
def test_an_event_that_went_through_mangum_makes_the_same_event_again(
    scope: dict[str, Any], body: bytes
) -> None:
    event = to_event(scope, body, route_key=ROUTE)
    seen, content = through_mangum(event)
    again = to_event({**seen, "path_params": scope["path_params"]}, content, route_key=ROUTE)
    for made in (event, again):
        for passing in ("requestId", "time", "timeEpoch"):
            del made["requestContext"][passing]
    passed_on = [made["headers"].pop("x-forwarded-for") for made in (event, again)]
    assert passed_on == ["203.0.113.7", "203.0.113.7, 203.0.113.7"]
    assert again == event
    assert json.loads(json.dumps(event)) == event


@given(QUERIES)
def test_the_parsed_query_is_what_starlette_reads_with_duplicates_joined(query: str) -> None:
    scope = {**PLAIN, "query_string": query.encode()}
    event = to_event(scope, b"", route_key=ROUTE)
    items = combined(QueryParams(query).multi_items())
    assert event["rawQueryString"] == query
    assert (event.get("queryStringParameters") or {}) == items


def test_a_literal_percent_sign_is_decoded_once_by_us_and_twice_by_mangum() -> None:
    event = to_event({**PLAIN, "path": "/a%41"}, b"", route_key=ROUTE)
    assert event["rawPath"] == "/a%41"
    assert through_mangum(event)[0]["path"] == "/aA"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({}, {"for": "127.0.0.1", "port": "80", "proto": "http"}),
        ({"host": "shop.example"}, {"for": "127.0.0.1", "port": "80", "proto": "http"}),
        ({"host": "[::1]:8080"}, {"for": "127.0.0.1", "port": "8080", "proto": "http"}),
        (
            {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"},
            {"for": "203.0.113.9, 127.0.0.1", "port": "80", "proto": "http"},
        ),
    ],
)
def test_the_gateway_says_for_whom_it_asks(sent: dict[str, str], told: dict[str, str]) -> None:
    """As API Gateway does: the address it sees comes last, behind whatever a client has claimed."""
    headers = [(name.encode(), value.encode()) for name, value in sent.items()]
    event = to_event({**PLAIN, "headers": headers}, b"", route_key=ROUTE)
    seen = {name: event["headers"][f"x-forwarded-{name}"] for name in told}
    assert seen == told
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    given = [(b"x-amzn-trace-id", b"Root=1-67891233-abcdef012345678912345678")]
    kept = to_event({**PLAIN, "headers": given}, b"", route_key=ROUTE)
    assert kept["headers"]["x-amzn-trace-id"] == given[0][1].decode()


def test_the_event_has_the_documented_fields_and_no_others() -> None:
    scope = {**PLAIN, "headers": [(b"host", b"a.example"), (b"user-agent", b"curl")]}
    event = to_event(scope, b"", route_key="$default")
    context = event.pop("requestContext")
    for name in (*FORWARDED, "x-amzn-trace-id"):
        del event["headers"][name]
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {"host": "a.example", "user-agent": "curl"},
        "isBase64Encoded": False,
    }
    assert context["http"] == {
        "method": "GET",
        "path": "/",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "curl",
    }
    assert (context["domainName"], context["domainPrefix"]) == ("a.example", "a")
    assert (context["routeKey"], context["stage"]) == ("$default", "$default")
    assert len(context["requestId"]) == 32


@pytest.mark.parametrize(
    ("content_type", "is_text"),
    [
        ("text/plain", True),
        ("Text/HTML; charset=utf-8", True),
        ("application/json", True),
        ("application/json;charset=utf-8", True),
        ("application/xml", True),
        ("application/javascript", True),
        ("application/x-www-form-urlencoded", False),
        ("multipart/form-data; boundary=x", False),
        ("application/octet-stream", False),
        ("image/png", False),
        ("", False),
        (None, False),
    ],
)
def test_a_body_is_text_by_its_type_and_else_base64(
    content_type: str | None, is_text: bool
) -> None:
    """Forms and bodies without a type, too, as was observed in AWS. What has a text type and is no
    UTF-8 could not be written as text."""
    headers = [] if content_type is None else [(b"Content-Type", content_type.encode())]
    event = to_event({**PLAIN, "headers": headers}, "é".encode(), route_key=ROUTE)
    assert (event["body"], event["isBase64Encoded"]) == (
        ("é", False) if is_text else ("w6k=", True)
    )
    event = to_event({**PLAIN, "headers": headers}, b"\xff", route_key=ROUTE)
    assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)


RESPONSES: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    status_code=st.sampled_from([200, 201, 204, 302, 304, 404, 503]),
    content=BODIES,
    media_type=st.sampled_from(["text/html", "application/json", "image/png", "image/svg+xml"]),
    headers=st.dictionaries(st.sampled_from(["x-tag", "etag", "location"]), VALUES),
)


@given(RESPONSES, st.lists(st.sampled_from(["a", "b", "c"]), unique=True))
def test_an_answer_through_mangum_is_the_answer_that_was_given(
    given: dict[str, Any], cookies: list[str]
) -> None:
    """A status without a body may have no length; any other has one, once."""
    if given["status_code"] in (204, 304):
        given["content"] = b""
    response = Response(**given)
    for cookie in cookies:
        response.set_cookie(cookie, "1", path="/")

    result = Mangum(response, lifespan="off")(to_event(PLAIN, b"", route_key=ROUTE), CONTEXT)
    status, headers, body = to_response(result)
    assert (status, body) == (given["status_code"], given["content"])
    assert sorted(headers) == sorted(response.raw_headers)


PLAIN: dict[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "headers": [],
    "client": None,
}
CONTEXT: Any = object()


def through_mangum(event: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The scope and the body that an application behind Mangum is called with."""
    seen: list[tuple[dict[str, Any], bytes]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, (await receive())["body"]))
        await Response()(scope, receive, send)

    assert Mangum(application, lifespan="off")(event, CONTEXT)["statusCode"] == 200
    return seen[0]


def decoded(headers: Any) -> list[tuple[str, str]]:
    return [(name.decode().lower(), value.decode()) for name, value in headers]


def combined(pairs: list[tuple[str, str]]) -> Mapping[str, str]:
    """Duplicates joined: of cookies as browsers do, of all else by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        separator = "; " if name == "cookie" else ","
        joined[name] = f"{joined[name]}{separator}{value}" if name in joined else value
    return joined
