"""A keep-alive HTTP connection with one request in flight, without a task or a future for each.

It knows no more of HTTP than the servers here say: a Content-Length, and nothing but 1.1.
"""

import asyncio
import re
from typing import NamedTuple, cast

CONNECT_SECONDS_MAX = 10.0
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


class ClientError(Exception):
    """A request was not answered, or by something else than we can read."""


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def post(self, target: str) -> bytes:
        """The bytes of a POST without a body."""
        head = f"POST {target} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
        return f"{head}Content-Length: 0\r\n\r\n".encode()


class Connection(asyncio.Protocol):
    """Subclasses say what to do with an answer, and when the connection is gone."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._transport: asyncio.WriteTransport | None = None
        self._held = b""
        self._asking = False
        self._fault = ""
        self.bytes_sent = 0
        self.bytes_received = 0

    def answered(self, status: int, body: bytes) -> None:
        """The answer to the request in flight; may send the next."""
        raise NotImplementedError

    def closed(self, fault: str) -> None:
        """The connection is gone; `fault` says why, unless it was we who closed it."""
        raise NotImplementedError

    async def open(self) -> None:
        """Connect. Raises OSError or TimeoutError."""
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            await asyncio.get_running_loop().create_connection(lambda: self, *self._address)

    def send(self, request: bytes) -> None:
        """Send a request; there must be none in flight."""
        assert self._transport is not None
        self._asking = True
        self.bytes_sent += len(request)
        self._transport.write(request)

    def close(self) -> None:
        """Close once what was written has left; `closed` follows."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        data = self._held + data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            self._held = data
            return
        length = _LENGTH.search(data, 0, head + 2)
        if length is None or not self._asking or not data.startswith(b"HTTP/1.1 "):
            self._fail(f"an answer we can't read, or to no request: {data[:200]!r}")
            return
        end = head + 4 + int(length[1])
        if len(data) < end:
            self._held = data
            return
        self._held = data[end:]
        self._asking = False
        self.answered(int(data[9:12]), data[head + 4 : end])

    def connection_lost(self, exc: Exception | None) -> None:
        if self._asking and not self._fault:
            self._fault = str(exc or "closed instead of an answer")
        self.closed(self._fault)

    def _fail(self, fault: str) -> None:
        self._fault = fault
        if self._transport is not None:
            self._transport.abort()
