"""Two things that stand between uvicorn's protocol and a connection's transport."""

import asyncio
from typing import Any


class Corked:
    """A transport that sends what one turn of the loop has written in one packet.

    uvicorn writes head and body apart; with TCP_NODELAY each would be a system call, a packet, and
    a client woken up.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def write_now(self, data: bytes) -> None:
        """Write a whole response."""
        if self._waiting:
            self._flush()
        if not self.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        # One that was cut off in this turn of the loop takes nothing more.
        if waiting and not self.is_closing():
            self._transport.write(b"".join(waiting))


class Deaf(asyncio.Protocol):
    """Takes the place of a protocol that listens no more, and may still have something to say.

    What the client goes on sending is read and forgotten: to close a connection with unread bytes
    resets it, and a client may then never see what it was told.
    """

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol

    def data_received(self, data: bytes) -> None:
        pass

    def eof_received(self) -> bool:
        return bool(self._protocol.eof_received())

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)
