"""Events of API Gateway's REST API: whatever shape a request comes in, the verdict is one."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from flashsale.errors import Malformed, Refusal
from flashsale.model import Caller
from flashsale.request import Request
from flashsale.shapes import Event, as_http_api
from hypothesis import example, given
from hypothesis import strategies as st

Pairs = list[tuple[str, str]]


def http_event(pairs: Pairs, **more: object) -> Event:
    """As the HTTP API sends it, format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "POST /checkout",
        "rawPath": "/checkout",
        "rawQueryString": urlencode(pairs),
        "headers": {"if-none-match": '"a"'},
        "requestContext": {
            "http": {"method": "POST", "path": "/checkout", "sourceIp": "203.0.113.9"},
            "requestId": "request-1",
        },
        "isBase64Encoded": False,
        **more,
    }


def rest_event(pairs: Pairs, **more: object) -> Event:
    """As the REST API sends it, format 1.0: values decoded, and lists of them."""
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return {
        "resource": "/checkout",
        "path": "/checkout",
        "httpMethod": "POST",
        "headers": {"If-None-Match": '"a"'},
        "multiValueHeaders": {"If-None-Match": ['"a"']},
        "queryStringParameters": {name: values[-1] for name, values in lists.items()} or None,
        "multiValueQueryStringParameters": lists or None,
        "pathParameters": None,
        "requestContext": {"identity": {"sourceIp": "203.0.113.9"}, "requestId": "request-1"},
        "body": None,
        "isBase64Encoded": False,
        **more,
    }


def verdict(event: Event) -> Any:
    """What is read of a checkout, or the kind of its refusal: of two faults either may be told,
    since REST doesn't keep the order of parameters."""
    try:
        request = Request(as_http_api(event), ("user_id", "id"))
        return request.buyer("user_id"), request.number("id")
    except Refusal as refusal:
        return type(refusal)


names = st.sampled_from(["user_id", "id", "ID", "user_id ", "x", ""]) | st.text(max_size=5)
values = st.sampled_from(["ann", "7", "07", "", "1 ", "٣"]) | st.text(max_size=8)
text_pairs = st.lists(st.tuples(names, values), max_size=4).filter(
    lambda pairs: "".join(map("".join, pairs)).isprintable()
)


@given(text_pairs)
@example([("user_id", "ann"), ("id", "7")])
@example([("user_id", "ann"), ("id", "7"), ("id", "8")])
@example([("user_id", "a" * 600), ("id", "7")])
@example([("user_id", "a+b"), ("id", "%37")])
def test_both_shapes_have_one_verdict(pairs: Pairs) -> None:
    assert verdict(rest_event(pairs)) == verdict(http_event(pairs))


def test_what_is_read_besides_the_query_is_the_same() -> None:
    claims = {"sub": "ann"}
    http = http_event([], pathParameters={"id": "42"})
    http["requestContext"]["authorizer"] = {"jwt": {"claims": claims}}
    rest = rest_event([], pathParameters={"id": "42"})
    rest["requestContext"]["authorizer"] = {"claims": claims}
    for event in (http, rest):
        request = Request(as_http_api(event), ())
        assert (request.method, request.path, request.item) == ("POST", "/checkout", 42)
        assert request.header("if-none-match") == '"a"'
        assert request.caller == Caller("203.0.113.9", "ann")


def test_a_body_is_refused_in_both() -> None:
    for event in (http_event([], body="x"), rest_event([], body="x")):
        with pytest.raises(Malformed):
            Request(as_http_api(event), ())


def test_half_a_character_is_malformed_and_no_accident() -> None:
    """JSON can hold what no query can."""
    event = json.loads(json.dumps(rest_event([("user_id", "ann\ud800"), ("id", "7")])))
    assert verdict(event) is Malformed


def test_an_event_of_the_http_api_is_taken_as_it_is() -> None:
    event = http_event([])
    assert as_http_api(event) is event
