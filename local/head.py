"""Checks a request's head beyond its grammar, as RFC 9110 and 9112 want a server to.

httptools (llhttp, strict) has refused what is no HTTP: bare line feeds, folded headers, control
bytes, a blank before a colon, two lengths, or a length beside chunks.
"""

import functools
import re
from http import HTTPStatus

import httptools

from local.bounds import Bounds
from local.rejected import Headers, Rejected, head_too_large, malformed, too_large, too_long

# A name, IPv4 address or bracketed IPv6 address, and maybe a port.
_HOST = re.compile(rb"([A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.vV]+\])(:[0-9]{0,5})?")
_EXPECTED = b"100-continue"


@functools.lru_cache(maxsize=256)
def is_host(value: bytes) -> bool:
    """Whether a Host header may say that."""
    return _HOST.fullmatch(value) is not None


def check_size(target: bytes, headers: Headers, bounds: Bounds) -> None:
    """Refuse a head that is too large as a whole, or in one of its parts.

    Raises:
        Rejected: 414 or 431.
    """
    if len(target) > bounds.url_bytes:
        raise too_long(target, bounds.url_bytes)
    if len(headers) > bounds.headers:
        raise head_too_large(f"more than {bounds.headers} headers")
    size = len(target) + sum(len(name) + len(value) + 4 for name, value in headers)
    if size > bounds.head_bytes:
        raise head_too_large()


def check(method: bytes, version: str, headers: Headers, bounds: Bounds) -> bool:
    """Refuse a head whose meaning is in doubt. True if the client waits for 100 Continue.

    Raises:
        Rejected: 400, 413 or 417.
    """
    if version not in ("1.0", "1.1"):
        raise malformed("this is no HTTP/1.1 request")
    if method == b"CONNECT":
        raise malformed("this server is no proxy")
    expects = False
    hosts = []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            # Who is in front of us may not understand it as we do.
            if version == "1.0" or value.strip().lower() != b"chunked":
                raise malformed("chunked is the only transfer-encoding, of HTTP/1.1 only")
        elif name == b"content-length":
            if int(value) > bounds.body_bytes:
                raise too_large()
        elif name == b"expect" and version == "1.1":
            if value.strip().lower() != _EXPECTED:
                message = "100-continue is all that can be expected"
                raise Rejected(HTTPStatus.EXPECTATION_FAILED, "malformed", message)
            expects = True
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        raise malformed("a request has one Host header")
    if hosts and not is_host(hosts[0]):
        raise malformed("the Host header names no host")
    return expects


def origin_form(target: bytes, headers: Headers) -> tuple[bytes, Headers]:
    """An absolute-form target as path and query, with the host in it in place of the Host header.

    Raises:
        Rejected: it is no http URL.
    """
    try:
        parsed = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise malformed("the request's target is no URL") from None
    if parsed.schema is None or parsed.schema.lower() not in (b"http", b"https") or parsed.userinfo:
        raise malformed("the request's target is no http URL")
    path = parsed.path or b"/"
    host = target.partition(b"://")[2]
    host = re.split(rb"[/?#]", host, maxsplit=1)[0]
    others = [field for field in headers if field[0] != b"host"]
    query = b"" if parsed.query is None else b"?" + parsed.query
    return path + query, [(b"host", host), *others]
