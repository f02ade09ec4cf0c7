"""One Redis connection for many callers: commands issued together travel together."""

import asyncio
from collections.abc import Callable, Sequence

from flashsale.batching import Batcher
from flashsale.breaker import Breaker
from flashsale.config import Settings
from flashsale.errors import ConfigError, StoreDown, StoreSilent
from flashsale.inventory.connection import (
    Argument,
    Command,
    Connection,
    ConnectionLost,
    Reply,
    ReplyError,
    Silence,
)
from flashsale.secrets import with_redis_login

_NOT_LOGGED_IN = ("WRONGPASS", "NOAUTH", "ERR")  # ERR: AUTH where no password is set


class Pipeline:
    """Runs commands in the order they were issued, over one connection that heals by itself.

    Commands issued while a write is on the wire leave together in the next write. An error reply
    belongs to its own command. A connection that breaks fails exactly the commands it carried.
    """

    def __init__(
        self, settings: Settings, on_connect: Callable[[str], None] = lambda run_id: None
    ) -> None:
        """`on_connect` is told the `run_id` of every server a connection was made to."""
        self._settings = settings
        self._on_connect = on_connect
        self._connection: Connection | None = None
        self.breaker = Breaker("Redis")
        self._batcher: Batcher[Command, Reply] = Batcher(
            self._exchange, size_max=100, waiting_max=settings.waiting_max
        )

    async def execute(self, *command: Argument) -> Reply:
        """Send one command and return its reply, strings as `bytes`.

        Every command of ours may run twice with the effect of once, so what a broken connection
        leaves open is sent once more over a new one; after a timeout it is not.

        Raises:
            ReplyError: Redis refused the command.
            StoreDown: Redis could not be reached, or can't serve; the command did not run.
            StoreSilent: Redis did not answer; whether the command ran is unknown.
        """
        return await self._batcher.add(command)

    async def close(self) -> None:
        """Answer what is queued, then disconnect."""
        await self._batcher.settled()
        self._hang_up()

    async def _exchange(self, commands: list[Command]) -> Sequence[Reply | BaseException]:
        self.breaker.check()
        try:
            replies = await self._exchange_twice(commands)
        except StoreDown:
            self.breaker.failed()
            raise
        if isinstance(replies[-1], StoreDown | StoreSilent):
            self.breaker.failed()
        else:
            self.breaker.succeeded()
        return replies

    async def _exchange_twice(self, commands: list[Command]) -> list[Reply | BaseException]:
        was_connected = self._connection is not None
        replies, fault = await self._send(commands)
        if isinstance(fault, ConnectionLost) and was_connected:
            try:
                more, fault = await self._send(commands[len(replies) :])
                replies += more
            except StoreDown as down:  # the second time nothing ran; the first time it may have
                fault = down
        if fault is None:
            return replies
        silence = StoreSilent(f"Redis gave no answer: {type(fault).__name__}")
        return replies + [silence] * (len(commands) - len(replies))

    async def _send(
        self, commands: list[Command]
    ) -> tuple[list[Reply | BaseException], Exception | None]:
        """Return the replies that came and, if fewer than commands, what broke the connection."""
        connection = await self._connected()
        raw, fault = await connection.exchange(commands)
        if fault is not None:
            self._hang_up()
        return [self._judged(reply) for reply in raw], fault

    def _judged(self, reply: Reply | ReplyError) -> Reply | BaseException:
        """A refusal of whatever one asks is no answer: the server can't serve now."""
        if isinstance(reply, ReplyError) and reply.code in ("READONLY", "LOADING"):
            self._hang_up()  # the next connection may be to a primary
            return StoreDown(f"Redis can't serve: {reply}")
        return reply

    async def _connected(self) -> Connection:
        if self._connection is None:
            where = f"Redis at {self._settings.redis_addr}"
            try:
                connection = await self._opened()
                try:
                    run_id = await _run_id(connection)
                except BaseException:
                    connection.close()
                    raise
            except ReplyError as refusal:
                told = "wrong password?" if refusal.code in _NOT_LOGGED_IN else refusal.code
                raise StoreDown(f"{where} won't have us ({told})") from refusal
            except (ConnectionLost, Silence) as fault:
                raise StoreDown(f"{where} is out of reach: {_told(fault)}") from fault
            except ConfigError as error:
                raise StoreDown(f"{where} is out of reach: {error}") from error
            self._connection = connection
            self._on_connect(run_id)
        return self._connection

    async def _opened(self) -> Connection:
        settings = self._settings
        if not settings.redis_secret:
            return await Connection.open(settings)
        try:
            return await Connection.open(await asyncio.to_thread(with_redis_login, settings))
        except ReplyError as refusal:
            if refusal.code not in _NOT_LOGGED_IN:
                raise
            fresh = await asyncio.to_thread(with_redis_login, settings, fresh=True)
            return await Connection.open(fresh)  # the password has been rotated

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


async def _run_id(connection: Connection) -> str:
    """Name the server's run: another one means a restart or a failover. Empty if it won't say."""
    replies, fault = await connection.exchange([("INFO", "server")])
    if fault is not None:
        raise fault
    (told,) = replies
    if isinstance(told, ReplyError):
        if told.code == "NOPERM":
            return ""
        raise told
    fields = dict(line.split(b":", 1) for line in told.split(b"\r\n") if b":" in line)
    return str(fields.get(b"run_id", b"").decode())


def _told(fault: Exception) -> str:
    return str(fault) or type(fault).__name__
