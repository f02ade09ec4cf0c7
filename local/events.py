"""Translates between ASGI and API Gateway's HTTP API: scope to event, result to response.

The event is payload format 2.0 as AWS documents it ("Create AWS Lambda proxy integrations for HTTP
APIs"); Mangum, which translates the other way, is the judge of it in the tests.
"""

import base64
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

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_event(scope: Scope, body: bytes, *, route_key: str) -> dict[str, Any]:
    """Make the event of one request. `scope["path_params"]` holds the route's parameters."""
    headers, cookies = _headers(scope["headers"])
    path: str = scope["path"]
    query: str = scope["query_string"].decode("latin-1")
    now = time.time()
    host = headers.get("host", "localhost")
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
                "sourceIp": scope["client"][0] if scope.get("client") else "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": os.urandom(16).hex(),
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
        event["body"], event["isBase64Encoded"] = _body(body)
    return event


def to_response(result: object) -> Response:
    """Read a function's result as API Gateway does: anything without `statusCode` is a JSON body.

    Raises:
        ValueError: API Gateway would answer 500 to this result.
    """
    if not isinstance(result, Mapping) or "statusCode" not in result:
        body = (result if isinstance(result, str) else json.dumps(result)).encode()
        return 200, [_field("content-type", "application/json"), _length(body)], body
    status = int(result["statusCode"] or 0)
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is no status of a response")
    content = result.get("body")
    if not isinstance(content, str | None):
        raise ValueError("the body is not a string")
    raw = (content or "").encode()
    if result.get("isBase64Encoded"):
        raw = base64.b64decode(raw)
    fields = [
        _field(name, value)
        for name, value in (result.get("headers") or {}).items()
        if name.lower() not in _HOP_BY_HOP
    ]
    if status in (204, 304):
        raw = b""
    else:
        fields.append(_length(raw))
    fields += [_field("set-cookie", cookie) for cookie in result.get("cookies") or ()]
    return status, fields, raw


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


def _body(raw: bytes) -> tuple[str, bool]:
    try:
        return raw.decode("utf-8"), False
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode("ascii"), True


@functools.lru_cache(maxsize=256, typed=True)  # most answers have the same headers
def _field(name: str, value: str | float) -> tuple[bytes, bytes]:
    """One header, its value any JSON scalar. Raises `ValueError` if HTTP has no such header."""
    name, value = name.lower(), value if isinstance(value, str) else json.dumps(value)
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError(f"{name!r} is no header, or has a value that no header may have")
    return name.encode("ascii"), value.encode("latin-1")


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
