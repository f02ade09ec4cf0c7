"""One connection to Redis: RESP2 over TCP or TLS, on the event loop itself.

redis-py's own would do, but importing it took 53 of the 180 ms of a cold start, and it wakes
a task for each reply. hiredis, which it rests on, packs and parses here too.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import hiredis

from flashsale.config import Settings

Argument = str | int
Command = tuple[Argument, ...]
Reply = Any


class ReplyError(Exception):
    """Redis refused one command. `code` is the first word that it said: ERR, OOM, NOSCRIPT..."""

    @property
    def code(self) -> str:
        return str(self).partition(" ")[0]


class ConnectionLost(Exception):
    """The connection broke, or could not be made."""


class Silence(Exception):
    """No answer came in time."""


class Connection(asyncio.Protocol):
    """Sends commands and collects their replies, one `exchange` after the other."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=ReplyError, protocolError=ConnectionLost)
        self._transport: asyncio.Transport | None = None
        self._replies: list[Reply | ReplyError] = []
        self._expected = 0
        self._done: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, settings: Settings) -> "Connection":
        """Connect and log in.

        Raises:
            ConnectionLost, Silence: there is no way to the server.
            ReplyError: it won't have us.
        """
        host, _, port = settings.redis_addr.rpartition(":")
        seconds = settings.redis_timeout_ms / 1_000
        context = ssl.create_default_context() if settings.redis_tls == "on" else None
        try:
            async with asyncio.timeout(seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: cls(seconds), host.strip("[]"), int(port), ssl=context
                )
        except TimeoutError as error:
            raise Silence from error
        except OSError as error:
            raise ConnectionLost(type(error).__name__) from error
        try:
            await connection._log_in(settings)
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(
        self, commands: Sequence[Command]
    ) -> tuple[list[Reply | ReplyError], Exception | None]:
        """Send commands together; return the replies that came, strings as `bytes`, refusals as
        `ReplyError`s, and, if there are fewer than commands, what ended the connection."""
        if self._transport is None or not self.is_open:
            return [], ConnectionLost("closed before")
        done = self._done = self._loop.create_future()
        replies = self._replies = []
        self._expected = len(commands)
        timer = self._loop.call_later(self._timeout_seconds, self._fail, Silence())
        try:
            self._transport.write(b"".join([_packed(command) for command in commands]))
            await done
        except (ConnectionLost, Silence) as fault:
            return replies, fault
        except BaseException:
            self.close()  # given up between a write and its replies: out of step for good
            raise
        finally:
            timer.cancel()
            self._done = None
        return replies, None

    def close(self) -> None:
        """Hang up; whoever waits for a reply hears of it."""
        self._fail(ConnectionLost("closed"))

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self._replies.append(reply)
        except ConnectionLost as error:  # these are no replies of Redis
            self._fail(error)
            return
        if self._done is None or len(self._replies) > self._expected:
            self._fail(ConnectionLost("an answer to nothing"))
        elif len(self._replies) == self._expected and not self._done.done():
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(ConnectionLost(type(exc).__name__ if exc else "closed by the server"))

    def _fail(self, fault: Exception) -> None:
        if self._transport is not None:
            self._transport.abort()
        if self._done is not None and not self._done.done():
            self._done.set_exception(fault)

    async def _log_in(self, settings: Settings) -> None:
        commands: list[Command] = []
        if settings.redis_password:
            user = (settings.redis_username,) if settings.redis_username else ()
            commands.append(("AUTH", *user, settings.redis_password))
        if settings.redis_db:
            commands.append(("SELECT", settings.redis_db))
        if not commands:
            return
        replies, fault = await self.exchange(commands)
        for refusal in replies:
            if isinstance(refusal, ReplyError):
                raise refusal
        if fault is not None:
            raise fault


def _packed(command: Command) -> bytes:
    # Its stubs know one-word commands only.
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed
