"""A gateway on an event loop of its own, and a client that sends it whatever bytes it likes."""

import asyncio
import contextlib
import logging
import re
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from local.bounds import Bounds
from tests.local.conftest import serving

HANGS_SECONDS = 5.0
OK = b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """One response; header names in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Raw:
    """One connection."""

    def __init__(self, port: int, sent: bytes = b"", *, read_bytes: int | None = None) -> None:
        """`read_bytes` bounds what the kernel receives for it unread."""
        self.socket = socket.socket()
        self.socket.settimeout(HANGS_SECONDS)
        if read_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, read_bytes)
        self.socket.connect(("127.0.0.1", port))
        self._received = b""
        if sent:
            self.send(sent)

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, sent: bytes) -> None:
        self.socket.sendall(sent)

    def answer(self, *, head_only: bool = False) -> Answer:
        """The next response; `TimeoutError` if none comes, `EOFError` if none will."""
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        headers = {}
        for each in fields:
            name, _, value = each.partition(b": ")
            headers[name.lower()] = value
        status = int(re.fullmatch(rb"HTTP/1\.1 (\d{3}) [A-Za-z -]*", line)[1])  # type: ignore[index]
        length = 0 if head_only else int(headers.get(b"content-length", 0))
        while len(self._received) < length:
            self._receive()
        body, self._received = self._received[:length], self._received[length:]
        return Answer(status, headers, body)

    def has_something(self) -> bool:
        """Whether the server has said anything yet."""
        return bool(self._received or select.select([self.socket], [], [], 0)[0])

    def is_closed(self) -> bool:
        """Wait until the server hangs up; False if it says something instead."""
        if self._received:
            return False
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _receive(self) -> None:
        part = self.socket.recv(65_536)
        if not part:
            raise EOFError(self._received)
        self._received += part


@contextlib.contextmanager
def served(folder: Path, bounds: Bounds) -> Iterator[int]:
    """Serves the folder's template in a thread of its own, as a gateway process does; the port.
    Whatever the server logs as an error fails the block."""
    heard: list[str] = []
    listener = _Listener(heard)
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
    ready, ended = threading.Event(), threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        async with serving(folder, bounds=bounds) as client:
            ports.append(client.base_url.port or 0)
            for logger in loggers:
                logger.addHandler(listener)
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield ports[0]
    finally:
        ended.set()
        thread.join()
        for logger in loggers:
            logger.removeHandler(listener)
    assert heard == []


class _Listener(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(self.format(record))
