"""Lets pg8000, which waits for its socket, wait on the event loop.

pg8000 is synchronous. In a thread of its own each batch would cost two hand-overs of the
interpreter's lock and a wake-up of the loop, more than all of its own work. So it runs in a
greenlet instead, as SQLAlchemy's asyncio extension runs its drivers: where it would wait for the
socket, the greenlet stands still, and the loop goes on.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from flashsale.config import Settings

Result = TypeVar("Result")

_FAREWELL_SECONDS = 0.5
_SSL_REQUEST = (8).to_bytes(4, "big") + (80_877_103).to_bytes(4, "big")


async def in_greenlet(run: Callable[..., Result], *arguments: object) -> Result:
    """Call a synchronous function that may `wait`, and wait on its behalf."""
    runner = greenlet(run)
    # A greenlet would begin with no context variables at all.
    runner.gr_context = getcurrent().gr_context
    waited_for = runner.switch(*arguments)
    while not runner.dead:
        try:
            answer = await waited_for
        except BaseException as error:
            waited_for = runner.throw(error)
        else:
            waited_for = runner.switch(answer)
    result: Result = waited_for
    return result


def wait(waited_for: Awaitable[Result]) -> Result:
    """Wait, inside a function that was called by `in_greenlet`."""
    around = getcurrent().parent
    if around is None:
        raise RuntimeError("this has to be called by in_greenlet")
    result: Result = around.switch(waited_for)
    return result


class LoopSocket(asyncio.Protocol):
    """What pg8000 uses of a socket and its file, over a transport of the event loop.

    Raises `TimeoutError` where nothing arrives for `timeout_seconds`, and `ConnectionResetError`
    where nothing will, as a socket does.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._arrived = bytearray()
        self._outgoing: list[bytes] = []
        self._more: asyncio.Future[None] | None = None
        self._lost: Exception | None = None
        self._ended = asyncio.Event()

    @classmethod
    async def open(
        cls, settings: Settings, *, tls: ssl.SSLContext | None, timeout_seconds: float
    ) -> "LoopSocket":
        """Connect, encrypted if `tls` is given.

        Raises:
            OSError: there is no way to the server, or it won't encrypt.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_seconds):
            _, opened = await loop.create_connection(
                lambda: cls(timeout_seconds), settings.db_host, settings.db_port
            )
            if tls is not None:
                try:
                    await opened._encrypt(tls, settings.db_host)
                except BaseException:
                    await opened.abort()
                    raise
        return opened

    # What pg8000 calls

    def makefile(self, mode: str) -> "LoopSocket":
        return self

    def write(self, data: bytes) -> None:
        self._outgoing.append(data)

    def flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is None or self._lost is not None:
            raise self._lost or ConnectionResetError("not connected")
        self._transport.write(b"".join(outgoing))

    def read(self, size: int) -> bytes:
        while len(self._arrived) < size:
            wait(self._more_arrives())
        data = bytes(self._arrived[:size])
        del self._arrived[:size]
        return data

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def closed(self) -> None:
        """Wait until the connection has ended, with TLS's farewell or, soon, without."""
        try:
            await asyncio.wait_for(self._ended.wait(), _FAREWELL_SECONDS)
        except TimeoutError:
            await self.abort()

    async def abort(self) -> None:
        """Hang up without a farewell."""
        if self._transport is not None:
            self._transport.abort()
            await self._ended.wait()

    # What the event loop calls

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        self._arrived += data
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()
        self._lost = ConnectionResetError("the server hung up" if exc is None else str(exc))
        if self._more is not None and not self._more.done():
            self._more.set_exception(self._lost)

    async def _more_arrives(self) -> None:
        if self._lost is not None:
            raise self._lost
        more = self._more = self._loop.create_future()
        timer = self._loop.call_later(self._timeout_seconds, _expire, more)
        try:
            await more
        finally:
            timer.cancel()
            self._more = None

    async def _encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        """Ask for TLS as the protocol has it: one byte says whether the server agrees."""
        self.write(_SSL_REQUEST)
        self.flush()
        await self._more_arrives()
        if self._arrived != b"S":
            raise ConnectionRefusedError("the server does not encrypt")
        self._arrived.clear()
        plain: Any = self._transport
        self._transport = await self._loop.start_tls(plain, self, tls, server_hostname=host)


def _expire(more: "asyncio.Future[None]") -> None:
    if not more.done():
        more.set_exception(TimeoutError("nothing arrived in time"))
