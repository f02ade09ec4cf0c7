"""A function's result becomes a response as AWS documents it for payload format 2.0."""

import base64
import json
from typing import Any

import pytest

from local.events import PAYLOAD_BYTES_MAX, to_response

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ({"message": "hello"}, b'{"message": "hello"}'),
        ("Hello from Lambda!", b"Hello from Lambda!"),
        (["a", 1], b'["a", 1]'),
        (7, b"7"),
        (None, b"null"),
        ({}, b"{}"),
        ({"body": "x", "headers": {"content-type": "text/html"}}, None),
        ({"é": "\N{SNOWMAN}"}, None),
    ],
)
def test_a_result_without_a_status_is_a_json_body(result: object, body: bytes | None) -> None:
    """Even if it has a body and headers: without a status they are just more of the result."""
    if body is None:
        body = json.dumps(result, ensure_ascii=False).encode()
    assert to_response(result) == (200, [JSON, (b"content-length", b"%d" % len(body))], body)


def test_a_body_is_text_or_base64_or_absent() -> None:
    assert to_response({"statusCode": 200, "body": "é"})[2] == "é".encode()
    encoded = base64.b64encode(b"\xff\x00").decode()
    assert (
        to_response({"statusCode": 200, "body": encoded, "isBase64Encoded": True})[2] == b"\xff\0"
    )
    assert to_response({"statusCode": 200})[2] == b""
    assert to_response({"statusCode": 200, "body": None})[2] == b""


def test_each_cookie_is_a_header_of_its_own() -> None:
    _, headers, _ = to_response({"statusCode": 200, "cookies": ["a=1; Secure", "b=2"]})
    assert headers[-2:] == [(b"set-cookie", b"a=1; Secure"), (b"set-cookie", b"b=2")]
    assert to_response({"statusCode": 200, "cookies": None})[1] == [TEXT, (b"content-length", b"0")]


def test_header_values_may_be_any_json_scalar_and_names_become_lower_case() -> None:
    _, headers, _ = to_response(
        {
            "statusCode": "200",
            "headers": {"X-Text": "é", "X-Number": 3, "X-Half": 0.5, "X-Is": True},
        }
    )
    assert headers[:-2] == [
        (b"x-text", b"\xe9"),
        (b"x-number", b"3"),
        (b"x-half", b"0.5"),
        (b"x-is", b"true"),
    ]


def test_the_length_is_ours_to_tell() -> None:
    """A second one, perhaps wrong, would let two readers see different responses."""
    _, headers, _ = to_response(
        {"statusCode": 200, "headers": {"Content-Length": "99"}, "body": "abc"}
    )
    assert headers == [TEXT, (b"content-length", b"3")]


@pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
def test_a_type_is_text_unless_one_is_told(name: str) -> None:
    _, headers, _ = to_response({"statusCode": 200, "headers": {name: "text/html"}, "body": "a"})
    assert headers == [(b"content-type", b"text/html"), (b"content-length", b"1")]
    assert to_response({"statusCode": 200, "body": "a"})[1][0] == TEXT


def test_a_value_is_told_from_one_that_python_takes_for_its_equal() -> None:
    for value, text in ((1, b"1"), (True, b"true"), (1.0, b"1.0")):
        assert to_response({"statusCode": 204, "headers": {"a": value}})[1] == [(b"a", text)]


def test_what_format_2_does_not_have_is_ignored() -> None:
    result = {"statusCode": 204, "multiValueHeaders": {"x-tag": ["a", "b"]}, "else": 1}
    assert to_response(result) == (204, [], b"")


@pytest.mark.parametrize("status", [200, "200", 200.0])
def test_a_status_may_be_written_as_json_may_write_it(status: object) -> None:
    assert to_response({"statusCode": status})[0] == 200


def test_a_result_is_as_long_as_lambda_carries_and_no_longer() -> None:
    """Counted as JSON, whatever its shape: quotes, escapes, base64 and all."""
    around = len(json.dumps({"statusCode": 200, "body": ""}))
    for text, each in (("a", 1), ("é", 2), ("\n", 2), ("\0", 6)):
        count = (PAYLOAD_BYTES_MAX - around) // each
        assert to_response({"statusCode": 200, "body": text * count})[0] == 200
        with pytest.raises(ValueError, match="longer than"):
            to_response({"statusCode": 200, "body": text * (count + 1)})
    assert to_response("a" * PAYLOAD_BYTES_MAX)[0] == 200
    with pytest.raises(ValueError, match="longer than"):
        to_response("a" * (PAYLOAD_BYTES_MAX + 1))


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_no_length(status: int) -> None:
    assert to_response({"statusCode": status, "headers": {"etag": "x"}}) == (
        status,
        [(b"etag", b"x")],
        b"",
    )


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "body": {}},
        {"statusCode": 200, "body": "not base64 at all", "isBase64Encoded": True},
        {"statusCode": "soon"},
        {"statusCode": 42},
        {"statusCode": 199},
        {"statusCode": 600},
        {"statusCode": None},
        {"statusCode": True},
        {"statusCode": 200.5},
        {"statusCode": "2_00"},
        {"statusCode": [200]},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "cookies": [7]},
        {"statusCode": 200, "headers": ["x-list"]},
        float("nan"),
        {"value": float("inf")},
        {"statusCode": 200, "headers": {"x-list": ["a", "b"]}},
        {"statusCode": 200, "headers": {"x-split": "a\r\nset-cookie: b=1"}},
        {"statusCode": 200, "headers": {"x split": "a"}},
        {"statusCode": 200, "cookies": ["a=1\r\nx: y"]},
        {"statusCode": 200, "headers": {"x-far": "\N{SNOWMAN}"}},
    ],
)
def test_a_result_that_makes_no_response_is_an_error(result: Any) -> None:
    """API Gateway answers 500 to these, and so does ours to anything raised here."""
    with pytest.raises((ValueError, TypeError, AttributeError)):
        to_response(result)
