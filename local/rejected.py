"""What a client is told whose request goes no further than the protocol."""

import functools
import json
import random
from http import HTTPStatus
from typing import Any

Headers = list[tuple[bytes, bytes]]

RETRY_SECONDS_MAX = 3


class Rejected(Exception):
    """A request, or what should have been one, that is answered without any function."""

    def __init__(self, status: HTTPStatus, error: str, message: str) -> None:
        """`error` is the stable word that clients may rely on."""
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message

    def body(self) -> bytes:
        return _body(self.error, self.message)

    def headers(self) -> Headers:
        """Those of the answer. Who is told to come again is told a time that differs from the
        others', so that not all come at once."""
        fields = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(self.body())),
        ]
        if self.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
            fields.append((b"retry-after", b"%d" % random.randint(1, RETRY_SECONDS_MAX)))  # noqa: S311
        return fields

    def response(self, default: Headers, *, close: bool) -> bytes:
        """The whole answer as it goes over the wire; `default` are headers that all answers have.
        `close` says that it is the connection's last one."""
        fields = [*default, *self.headers()]
        if close:
            fields.append((b"connection", b"close"))
        lines = [b"HTTP/1.1 %d %b\r\n" % (self.status, self.status.phrase.encode())]
        lines += [b"%b: %b\r\n" % each for each in fields]
        return b"".join([*lines, b"\r\n", self.body()])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The same as an ASGI application. It is the last answer where the request has a body,
        which nobody reads."""
        fields = self.headers()
        if any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
            fields.append((b"connection", b"close"))
        start = {"type": "http.response.start", "status": self.status.value, "headers": fields}
        await send(start)
        await send({"type": "http.response.body", "body": self.body()})


@functools.lru_cache(maxsize=64)
def _body(error: str, message: str) -> bytes:
    return json.dumps({"success": False, "error": error, "message": message}).encode()


def malformed(message: str) -> Rejected:
    return Rejected(HTTPStatus.BAD_REQUEST, "malformed", message)


def too_large() -> Rejected:
    """In API Gateway's words."""
    message = "Request Entity Too Large"
    return Rejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message)


def too_slow() -> Rejected:
    message = "the request took too long to arrive"
    return Rejected(HTTPStatus.REQUEST_TIMEOUT, "malformed", message)


def head_too_large(message: str = "the header is too large") -> Rejected:
    return Rejected(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too_large", message)


def too_long(target: bytes, most: int) -> Rejected:
    part = "path" if len(target.partition(b"?")[0]) > most else "query string"
    return Rejected(HTTPStatus.REQUEST_URI_TOO_LONG, "too_long", f"the {part} is too long")


def overloaded(message: str = "too many requests are waiting, try again") -> Rejected:
    return Rejected(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", message)


def stopping() -> Rejected:
    message = "the service is stopping, send it again"
    return Rejected(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", message)


def too_many_connections() -> Rejected:
    message = "too many connections from your address"
    return Rejected(HTTPStatus.TOO_MANY_REQUESTS, "too_many_connections", message)
