"""A function's result becomes a response as AWS documents it for payload format 2.0."""

import base64
from typing import Any

import pytest

from local.events import to_response

JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ({"message": "hello"}, b'{"message": "hello"}'),
        ("Hello from Lambda!", b"Hello from Lambda!"),
        (["a", 1], b'["a", 1]'),
        (7, b"7"),
        (None, b"null"),
    ],
)
def test_a_result_without_a_status_is_a_json_body(result: object, body: bytes) -> None:
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
    assert to_response({"statusCode": 200, "cookies": None})[1] == [(b"content-length", b"0")]


def test_header_values_may_be_any_json_scalar_and_names_become_lower_case() -> None:
    _, headers, _ = to_response(
        {
            "statusCode": "200",
            "headers": {"X-Text": "é", "X-Number": 3, "X-Half": 0.5, "X-Is": True},
        }
    )
    assert headers[:-1] == [
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
    assert headers == [(b"content-length", b"3")]


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
        {"statusCode": 200, "headers": {"x-list": ["a", "b"]}},
        {"statusCode": 200, "headers": {"x-split": "a\r\nset-cookie: b=1"}},
        {"statusCode": 200, "headers": {"x split": "a"}},
        {"statusCode": 200, "cookies": ["a=1\r\nx: y"]},
        {"statusCode": 200, "headers": {"x-far": "\N{SNOWMAN}"}},
    ],
)
def test_a_result_that_makes_no_response_is_an_error(result: dict[str, Any]) -> None:
    """API Gateway answers 500 to these, and so does ours to anything raised here."""
    with pytest.raises((ValueError, TypeError)):
        to_response(result)
