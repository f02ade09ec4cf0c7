"""What a client sent, read strictly: one spelling for each input, nothing that we did not ask."""

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from flashsale.errors import BodyTooLarge, Malformed, QueryTooLong, UnknownItem
from flashsale.model import Caller
from flashsale.shapes import Event

QUERY_BYTES_MAX = 512

_BUYER = re.compile(r"[A-Za-z0-9._@:-]{1,64}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")


class Request:
    """An API Gateway HTTP API event (payload format 2.0), its query checked: it may have
    the `known` parameters and no body; None leaves both unread.

    Raises:
        Malformed: a parameter that is unknown, given twice, or badly encoded; or a body.
    """

    __slots__ = ("_event", "_query")

    def __init__(self, event: Event, known: tuple[str, ...] | None) -> None:
        self._event = event
        self._query: dict[str, str] = {}
        if known is None:
            return
        self._query = _read_query(event, known)
        if event.get("body"):
            raise BodyTooLarge

    def has(self, name: str) -> bool:
        """Whether a parameter was given."""
        return name in self._query

    def refuse_query(self) -> None:
        """Refuse parameters that belong to another route of the same function."""
        if self._query:
            raise Malformed("unknown parameter: this path takes none")

    @property
    def method(self) -> str:
        return str(self._event["requestContext"]["http"]["method"])

    @property
    def path(self) -> str:
        return str(self._event["rawPath"])

    @property
    def caller(self) -> Caller:
        """Who sends it, as the gateway saw it; a token's subject where it has checked one."""
        context = self._event["requestContext"]
        claims = context.get("authorizer", {}).get("jwt", {}).get("claims", {})
        return Caller(context["http"].get("sourceIp", ""), claims.get("sub"))

    def header(self, name: str) -> str:
        """A header's value, several joined by commas; empty if there is none."""
        return str(self._event.get("headers", {}).get(name, ""))

    def text(self, name: str) -> str:
        """A required parameter, as it is.

        Raises:
            Malformed: it is missing or empty.
        """
        value = self._query.get(name)
        if not value:
            raise Malformed(f"{name} is required")
        return value

    def buyer(self, name: str) -> str:
        """A required buyer id: 1 to 64 of `A-Z a-z 0-9 . _ - @ :`."""
        value = self.text(name)
        if not _BUYER.fullmatch(value):
            raise Malformed(f"{name} must be 1 to 64 of A-Z a-z 0-9 . _ - @ :")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number in plain ASCII digits, without sign or leading zeros."""
        if default is not None and name not in self._query:
            return default
        value = self.text(name)
        if not _NUMBER.fullmatch(value):
            raise Malformed(f"{name} must be a whole number in plain digits")
        return int(value)

    @property
    def item(self) -> int | None:
        """The item in the path, if the route has one.

        Raises:
            UnknownItem: what stands there is not an item's number.
        """
        value = (self._event.get("pathParameters") or {}).get("id")
        if value is None:
            return None
        if not _NUMBER.fullmatch(value):
            raise UnknownItem
        return int(value)


def _read_query(event: Event, known: tuple[str, ...]) -> dict[str, str]:
    """Parse the raw query once. API Gateway's parsed form joins duplicates by a comma, and others
    take the last: either way two readers could see different requests."""
    raw = event.get("rawQueryString", "")
    if len(raw) > QUERY_BYTES_MAX:
        raise QueryTooLong
    query: dict[str, str] = {}
    for name, value in _pairs(raw):
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes none"
            raise Malformed(f"unknown parameter: this path {takes}")
        if name in query:
            raise Malformed(f"{name} is given twice")
        query[name] = value
    return query


def _pairs(raw: str) -> Iterator[tuple[str, str]]:
    if not raw:
        return
    for part in raw.split("&"):
        name, _, value = part.partition("=")
        yield _decoded(name), _decoded(value)


def _decoded(text: str) -> str:
    if "%" not in text and "+" not in text and text.isascii():
        return text
    try:
        decoded = unquote_to_bytes(text.replace("+", " ")).decode("ascii")
    except UnicodeError:
        raise Malformed("parameters must be plain ASCII") from None
    return decoded
