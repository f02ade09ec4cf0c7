"""Reads HTTP/1.1 responses out of bytes as they arrive, however the network cut them.

Only what a client needs that sends GET and POST: Content-Length, chunked, and until-closed bodies.
"""

import re
from typing import NamedTuple

HEAD_BYTES_MAX = 64 * 1024
RESPONSE_BYTES_MAX = 4 * 1024 * 1024
CONNECTION, CONTENT_LENGTH, RETRY_AFTER, TRANSFER_ENCODING = (
    b"\r\n" + name + b":"
    for name in (b"connection", b"content-length", b"retry-after", b"transfer-encoding")
)
CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?")


class MalformedResponseError(Exception):
    """What arrived is not an HTTP/1.1 response, or stopped in the middle of one."""


class Reply(NamedTuple):
    """A whole response; `closes` says that the server won't take another request here."""

    status: int
    head: bytes  # status line and headers, lower case, each line with its CRLF
    body: bytes
    closes: bool

    def retry_after_seconds(self) -> float | None:
        """What Retry-After asks for; a date, which our service never sends, counts as 1 second."""
        value = _header(self.head, RETRY_AFTER)
        if value is None:
            return None
        return float(value) if value.isdigit() else 1.0


class ResponseReader:
    """Holds what has arrived of a response that is not whole yet."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[Reply]:
        """Every response completed by `data`. Raises MalformedResponseError."""
        if self._held:
            data = self._held + data
        replies = []
        while data and (found := _parse(data, ended=False)) is not None:
            reply, end = found
            replies.append(reply)
            data = data[end:]
        if len(data) > RESPONSE_BYTES_MAX:
            raise MalformedResponseError(f"response over {RESPONSE_BYTES_MAX} bytes")
        self._held = data
        return replies

    def end(self) -> Reply | None:
        """The connection closed: the response that this completes, if any.

        Raises MalformedResponseError if it closed in the middle of one.
        """
        data, self._held = self._held, b""
        if not data:
            return None
        found = _parse(data, ended=True)
        if found is None:
            raise MalformedResponseError(f"connection closed {len(data)} bytes into a response")
        return found[0]


def _parse(data: bytes, *, ended: bool) -> tuple[Reply, int] | None:
    """The first response in `data` and where it ends; None if it is not whole yet."""
    start = 0
    while True:
        head_end = data.find(b"\r\n\r\n", start)
        if head_end < 0:
            if len(data) - start > HEAD_BYTES_MAX:
                raise MalformedResponseError(f"response head over {HEAD_BYTES_MAX} bytes")
            return None
        head = data[start : head_end + 2].lower()
        status = _status(head)
        start = head_end + 4
        if status >= 200:
            break  # anything lower is an interim response: the real one follows

    connection = _header(head, CONNECTION)
    if head.startswith(b"http/1.0"):
        closes = connection is None or b"keep-alive" not in connection
    else:
        closes = connection is not None and b"close" in connection
    coding = _header(head, TRANSFER_ENCODING)
    length = _header(head, CONTENT_LENGTH)
    if status in (204, 304):
        return Reply(status, head, b"", closes), start
    if coding is not None:
        if coding != b"chunked":
            raise MalformedResponseError(f"transfer-encoding {coding!r} is not one we asked for")
        chunks = _chunks(data, start)
        return chunks and (Reply(status, head, chunks[0], closes), chunks[1])
    if length is not None:
        if not length.isdigit():
            raise MalformedResponseError(f"content-length {length!r} is not a number")
        end = start + int(length)
        return (Reply(status, head, data[start:end], closes), end) if end <= len(data) else None
    return (Reply(status, head, data[start:], True), len(data)) if ended else None


def _status(head: bytes) -> int:
    code = head[9:12]
    if not head.startswith((b"http/1.1 ", b"http/1.0 ")) or not code.isdigit() or code < b"100":
        raise MalformedResponseError(f"not a status line: {head[:40]!r}")
    return int(code)


def _header(head: bytes, line: bytes) -> bytes | None:
    """What follows `line` in a lower-cased head, joined by commas if it stands there twice."""
    at = head.find(line)
    if at < 0:
        return None
    at += len(line)
    end = head.find(b"\r\n", at)
    value = head[at:end].strip()
    again = _header(head[end:], line) if head.find(line, end) >= 0 else None
    return value if again is None else value + b", " + again


def _chunks(data: bytes, at: int) -> tuple[bytes, int] | None:
    """The body of a chunked response that begins at `at`, and where its trailers end."""
    parts: list[bytes] = []
    while (line_end := data.find(b"\r\n", at)) >= 0:
        size = CHUNK_SIZE.fullmatch(data, at, line_end)
        if size is None:
            raise MalformedResponseError(f"not a chunk size: {data[at:line_end][:40]!r}")
        at, after = line_end + 2, line_end + 2 + int(size[1], 16)
        if after == at:
            return _after_trailers(b"".join(parts), data, at)
        if len(data) < after + 2:
            return None
        if data[after : after + 2] != b"\r\n":
            raise MalformedResponseError("a chunk is longer than it says")
        parts.append(data[at:after])
        at = after + 2
    return None


def _after_trailers(body: bytes, data: bytes, at: int) -> tuple[bytes, int] | None:
    while (line_end := data.find(b"\r\n", at)) >= 0:
        if line_end == at:
            return body, at + 2
        at = line_end + 2
    return None
