"""Translates between ASGI and API Gateway's HTTP API: scope to event, result to response.

The event is payload format 2.0 as AWS documents it ("Create AWS Lambda proxy integrations for HTTP
APIs"); Mangum, which translates the other way, is the judge of it in the tests.
"""

import base64
import contextlib
import functools
import json
import os
import re
import time
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Response = tuple[int, list[tuple[bytes, bytes]], bytes]

# What HTTP allows in a header; a line break would start another one.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

# Of one body one length is told, and the connection is not the function's.
_HOP_BY_HOP = frozenset(("content-length", "connection", "keep-alive", "transfer-encoding"))

# What Lambda carries, as JSON: six bytes at most for a character of the body, and little else.
PAYLOAD_BYTES_MAX = 6_291_556
_SURELY_FITS = (PAYLOAD_BYTES_MAX - 100_000) // 6

# What a response is that has a status, but does not say.
_TEXT = (b"content-type", b"text/plain; charset=utf-8")

# Besides text/*, the types whose bodies API Gateway hands on as they are.
_TEXT_TYPES = frozenset(("application/json", "application/xml", "application/javascript"))

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_event(scope: Scope, body: bytes, *, route_key: str) -> dict[str, Any]:
    """Make the event of one request. `scope["path_params"]` holds the route's parameters."""
    headers, cookies = _headers(scope["headers"])
    path: str = scope["path"]
    query: str = scope["query_string"].decode("latin-1")
    now, number = time.time(), os.urandom(16).hex()
    host = headers.get("host", "localhost")
    client: str = scope["client"][0] if scope.get("client") else "127.0.0.1"
    _add_forwarded(headers, client, host, f"Root=1-{int(now):08x}-{number[:24]}")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": scope["method"],
                "path": path,
                "protocol": f"HTTP/{scope['http_version']}",
                "sourceIp": client,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": number,
            "routeKey": route_key,
            "stage": "$default",
            "time": _time(int(now)),
            "timeEpoch": int(now * 1_000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _query(query)
    if parameters := scope.get("path_params"):
        event["pathParameters"] = parameters
    if body:
        event["body"], event["isBase64Encoded"] = _body(body, headers.get("content-type", ""))
    return event


def to_response(result: object) -> Response:
    """Read a function's result as API Gateway does: anything without `statusCode` is a JSON body.

    Raises:
        ValueError: API Gateway would answer 500 to this result.
    """
    if not isinstance(result, Mapping) or "statusCode" not in result:
        body = (result if isinstance(result, str) else _dumped(result)).encode()
        if len(body) > PAYLOAD_BYTES_MAX:
            raise ValueError(f"the result is longer than {PAYLOAD_BYTES_MAX} bytes")
        return 200, [_field("content-type", "application/json"), _length(body)], body
    status = result["statusCode"]
    if type(status) is not int:
        status = _number(status)
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is no status of a response")
    content = result.get("body")
    if content is None:
        content = ""
    elif not isinstance(content, str):
        raise ValueError("the body is not a string")
    elif len(content) > _SURELY_FITS:
        require_payload(result)
    raw = base64.b64decode(content) if result.get("isBase64Encoded") else content.encode()
    headers = result.get("headers") or {}
    fields = [*_fields(tuple(headers.items()), tuple(map(type, headers.values())))]
    if status in (204, 304):
        raw = b""
    else:
        if "content-type" not in headers and not _has_type(fields):
            fields.append(_TEXT)
        fields.append(_length(raw))
    if cookies := result.get("cookies"):
        if not isinstance(cookies, list) or not all(isinstance(each, str) for each in cookies):
            raise ValueError("the cookies are not a list of strings")
        fields += [_field("set-cookie", cookie) for cookie in cookies]
    return status, fields, raw


def require_payload(document: Mapping[str, Any]) -> None:
    """Raise `ValueError` if Lambda would not carry an event or a result, for its length."""
    if len(document["body"]) > _SURELY_FITS and len(_dumped(document).encode()) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"the payload is longer than {PAYLOAD_BYTES_MAX} bytes")


def _headers(raw: list[tuple[bytes, bytes]]) -> tuple[dict[str, str], list[str]]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name_bytes, value_bytes in raw:
        name, value = name_bytes.decode("latin-1").lower(), value_bytes.decode("latin-1")
        if name == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";")]
        elif name in headers:
            headers[name] += f",{value}"
        else:
            headers[name] = value
    return headers, cookies


def _add_forwarded(headers: dict[str, str], client: str, host: str, trace: str) -> None:
    """What API Gateway adds to a client's headers. It has TLS and port 443; we say what is so."""
    before = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{before}, {client}" if before else client
    headers["x-forwarded-proto"] = "http"
    port = host.rpartition(":")[2]
    headers["x-forwarded-port"] = port if port.isdecimal() else "80"
    headers.setdefault("x-amzn-trace-id", trace)


def _query(raw: str) -> dict[str, str]:
    query: dict[str, str] = {}
    plain = "%" not in raw and "+" not in raw
    pairs = (
        (part.partition("=")[::2] for part in raw.split("&") if part)
        if plain
        else parse_qsl(raw, keep_blank_values=True)
    )
    for name, value in pairs:
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


def _body(raw: bytes, content_type: str) -> tuple[str, bool]:
    """A body, and whether it is base64: all that is not of a text type, forms among it."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in _TEXT_TYPES:
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode("utf-8"), False
    return base64.b64encode(raw).decode("ascii"), True


@functools.lru_cache(maxsize=256, typed=True)  # most answers have the same headers
def _field(name: str, value: str | float) -> tuple[bytes, bytes]:
    """One header, its value any JSON scalar. Raises `ValueError` if HTTP has no such header."""
    name, value = name.lower(), value if isinstance(value, str) else json.dumps(value)
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError(f"{name!r} is no header, or has a value that no header may have")
    return name.encode("ascii"), value.encode("latin-1")


@functools.lru_cache(maxsize=256)
def _fields(
    headers: tuple[tuple[str, str | float], ...], types: tuple[type, ...]
) -> tuple[tuple[bytes, bytes], ...]:
    """Headers as a response has them. `types`, of their values, keep 1, 1.0 and True apart."""
    kept = [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
    return tuple(_field(name, value) for name, value in kept)


def _has_type(fields: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" for name, _ in fields)


def _number(status: object) -> int:
    """A status that is not a plain int: JSON knows 200.0, too, and "200" will do."""
    if isinstance(status, str) and re.fullmatch(r"[0-9]{3}", status, re.ASCII):
        return int(status)
    if isinstance(status, float) and status.is_integer():
        return int(status)
    raise ValueError(f"{status!r} is no status of a response")


def _dumped(value: object) -> str:
    """As Lambda's runtime writes a result."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % len(body)


@functools.lru_cache(maxsize=2)
def _time(now: int) -> str:
    """`12/Mar/2020:19:03:58 +0000`, whatever the locale."""
    moment = time.gmtime(now)
    return (
        f"{moment.tm_mday:02}/{_MONTHS[moment.tm_mon - 1]}/{moment.tm_year}:"
        f"{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02} +0000"
    )
