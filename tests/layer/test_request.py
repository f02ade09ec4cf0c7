"""Requests are read strictly: one spelling for each input, and nothing that was not asked for."""

from collections.abc import Callable

import pytest
from flashsale.api import Reply
from flashsale.errors import BodyTooLarge, Malformed, QueryTooLong, Refusal, UnknownItem
from flashsale.request import Request
from flashsale.shapes import Event
from hypothesis import example, given
from hypothesis import strategies as st

KNOWN = ("user_id", "id")


def event(query: str = "", *, body: str | None = None, item: str | None = None) -> Event:
    """An event of API Gateway's HTTP API, payload format 2.0: what of it is read."""
    made: dict[str, object] = {
        "routeKey": "POST /checkout",
        "rawPath": "/checkout",
        "rawQueryString": query,
        "headers": {"host": "example.com", "if-none-match": '"a","b"'},
        "requestContext": {"http": {"method": "POST"}, "requestId": "request-1"},
        "isBase64Encoded": False,
    }
    if body is not None:
        made["body"] = body
    if item is not None:
        made["pathParameters"] = {"id": item}
    return made


def read(query: str) -> tuple[str, int]:
    request = Request(event(query), KNOWN)
    return request.buyer("user_id"), request.number("id")


@pytest.mark.parametrize(
    ("query", "buyer", "item"),
    [
        ("user_id=ann&id=1", "ann", 1),
        ("id=10000&user_id=Ann.Lee-1_2@example.com:8", "Ann.Lee-1_2@example.com:8", 10_000),
        ("user_id=ann%40example.com&id=0", "ann@example.com", 0),
        ("user_id=" + "x" * 64 + "&id=9999999999", "x" * 64, 9_999_999_999),
    ],
)
def test_a_good_request_is_read(query: str, buyer: str, item: int) -> None:
    assert read(query) == (buyer, item)


@pytest.mark.parametrize(
    "number",
    [
        "", "01", "00", "+1", "%2B1", "-1", "1_0", "1.0", "1e3", "0x1", " 1", "1 ", "+", "%201",
        "1\n", "1%0A", "1%0a", "1\r", "1%00", "1\0", "1,1", "1;1", "%", "%3", "%zz", "1=1",
        "٣", "%D9%A3", "१", "１", "%EF%BC%91", "𝟏", "²", "①", "Ⅷ", "10000000000", "9" * 400,
        "null", "NaN", "Infinity", "true", "[1]", "\ud800",
    ],
)  # fmt: skip
def test_a_number_has_one_spelling(number: str) -> None:
    with pytest.raises(Malformed):
        read(f"user_id=ann&id={number}")


@pytest.mark.parametrize(
    "buyer",
    [
        "", "x" * 65, "a b", "a+b", "a%20b", "ann%0A", "ann\n", "%00", "ann%00", "é", "%C3%A9",
        "ａnn", "a/b", "a%2Fb", "a'b", 'a"b', "a,b", "<a>", "a\\b", "%", "%61%", "\u2028", "😀",
        "a\ud800",
    ],
)  # fmt: skip
def test_a_buyer_is_of_plain_characters(buyer: str) -> None:
    with pytest.raises(Malformed):
        read(f"user_id={buyer}&id=1")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "user_id=ann",
        "id=1",
        "user_id&id=1",
        "user_id=ann&id=1&id=1",
        "user_id=ann&id=1&id=2",
        "user_id=ann&id=1&%69d=2",
        "user_id=ann&id=1&id",
        "user_id=ann&id=1&more=1",
        "user_id=ann&id=1&ID=1",
        "user_id=ann&id=1&id[]=1",
        "user_id=ann&id=1&",
        "&user_id=ann&id=1",
        "user_id=ann&&id=1",
        "user_id=ann;id=1",
        "user_id=ann&id=1#id",
        "?user_id=ann&id=1",
        "user_id=ann&id=1&%00=1",
        "user_id=ann& id=1",
    ],
)
def test_a_parameter_is_given_once_by_its_name_and_no_other_is(query: str) -> None:
    with pytest.raises(Malformed):
        read(query)


@given(st.text())
@example("user_id=\udc80&id=1")
@example("%\ud800=1")
@example("user_id=ann&id=%F0%9F%98%80")
def test_whatever_the_query_is_it_is_read_or_refused(query: str) -> None:
    check(query)


@given(st.text(st.sampled_from("&=%+;#_ 019azAZ٣１\n\0"), max_size=40))
def test_whatever_the_parameters_are_they_are_read_or_refused(text: str) -> None:
    check(f"user_id={text}&id={text}")


def check(query: str) -> None:
    assert status(lambda: read(query)) in (200, 400, 414)


def status(reading: Callable[[], object]) -> int:
    try:
        reading()
    except Refusal as refusal:
        return Reply.refused(refusal).status
    return 200


@given(st.text())
def test_whatever_stands_in_the_path_is_an_item_or_unknown(text: str) -> None:
    request = Request(event(item=text), ())
    assert status(lambda: request.item) == 404 or str(request.item) == text


@pytest.mark.parametrize("item", ["01", "+1", "1_0", "٣", "１", "1\n", "", " ", "../1", "1%30"])
def test_an_item_in_the_path_has_one_spelling(item: str) -> None:
    with pytest.raises(UnknownItem):
        _ = Request(event(item=item), ()).item


def test_a_query_that_is_too_long_is_refused_before_it_is_read() -> None:
    at_most = "user_id=ann&id=1".ljust(512, "%")
    with pytest.raises(Malformed) as caught:
        read(at_most)
    assert not isinstance(caught.value, QueryTooLong)
    with pytest.raises(QueryTooLong):
        read(at_most + "%")
    assert Reply.refused(QueryTooLong()).status == 414


def test_a_body_is_refused_and_an_empty_one_is_none() -> None:
    with pytest.raises(BodyTooLarge):
        Request(event("user_id=ann&id=1", body="x"), KNOWN)
    assert Reply.refused(BodyTooLarge()).status == 413
    for body in (None, ""):
        assert Request(event("user_id=ann&id=1", body=body), KNOWN).text("id") == "1"


def test_a_refusal_repeats_nothing_of_what_was_sent() -> None:
    for query in ("user_id=canary!&id=1", "canary=1", "user_id=ann&id=canary", "id=1&id=canary"):
        with pytest.raises(Malformed) as caught:
            read(query)
        assert "canary" not in Reply.refused(caught.value).body


def test_a_request_that_takes_anything_reads_nothing() -> None:
    request = Request(event("a=1&a=2&%zz", body="x"), None)
    assert (request.method, request.path) == ("POST", "/checkout")
    assert request.header("if-none-match") == '"a","b"'
    assert request.header("absent") == ""
    assert request.item is None


def test_parameters_of_another_route_of_the_function_are_refused() -> None:
    request = Request(event("limit=1"), ("limit",))
    assert request.number("limit", 7) == 1
    assert request.number("after", 7) == 7
    with pytest.raises(Malformed):
        request.refuse_query()
