"""One Redis connection for many callers: commands issued together travel together."""

from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as ConnectionBroken

from flashsale.batching import Batcher
from flashsale.breaker import Breaker
from flashsale.config import Settings
from flashsale.errors import StoreDown, StoreSilent

Argument = str | int
Command = tuple[Argument, ...]
Reply = Any


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
        self._connection: AbstractConnection | None = None
        self.breaker = Breaker("Redis")
        self._batcher: Batcher[Command, Reply] = Batcher(
            self._exchange, size_max=100, waiting_max=settings.waiting_max
        )

    async def execute(self, *command: Argument) -> Reply:
        """Send one command and return its reply, strings as `bytes`.

        Every command of ours may run twice with the effect of once, so what a broken connection
        leaves open is sent once more over a new one; after a timeout it is not.

        Raises:
            ResponseError: Redis refused the command.
            StoreDown: Redis could not be reached, or can't serve; the command did not run.
            StoreSilent: Redis did not answer; whether the command ran is unknown.
        """
        return await self._batcher.add(command)

    async def close(self) -> None:
        """Answer what is queued, then disconnect."""
        await self._batcher.settled()
        await self._hang_up()

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
        if isinstance(fault, ConnectionBroken) and was_connected:
            try:
                more, fault = await self._send(commands[len(replies) :])
                replies += more
            except StoreDown as down:  # the second time nothing ran; the first time it may have
                fault = down
        if fault is None:
            return replies
        if isinstance(fault, BusyLoadingError):
            return replies + [StoreDown("Redis is loading its data")] * (
                len(commands) - len(replies)
            )
        silence = StoreSilent(f"Redis gave no answer: {type(fault).__name__}")
        return replies + [silence] * (len(commands) - len(replies))

    async def _send(
        self, commands: list[Command]
    ) -> tuple[list[Reply | BaseException], Exception | None]:
        """Return the replies that came and, if fewer than commands, what broke the connection."""
        connection = await self._connected()
        replies: list[Reply | BaseException] = []
        try:
            packed = b"".join([_packed(command) for command in commands])
            await connection.send_packed_command(packed, check_health=False)
            while len(replies) < len(commands):
                try:
                    replies.append(await connection.read_response())
                except ReadOnlyError as error:  # a replica: the next connection may be to a primary
                    replies.append(StoreDown(str(error)))
                    await self._hang_up()
                except ResponseError as error:
                    replies.append(error)
        except (RedisError, OSError) as fault:
            await self._hang_up()
            return replies, fault
        except BaseException:
            # Cancelled between a write and its replies: the stream is out of step for good.
            await self._hang_up()
            raise
        return replies, None

    async def _connected(self) -> AbstractConnection:
        if self._connection is None:
            connection = _connection(self._settings)
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                run_id = await _run_id(connection)
            except (RedisError, OSError) as fault:
                await connection.disconnect(nowait=True)
                told = " (wrong password?)" if isinstance(fault, AuthenticationError) else ""
                where = self._settings.redis_addr
                raise StoreDown(
                    f"Redis at {where} is out of reach: {type(fault).__name__}{told}"
                ) from fault
            self._connection = connection
            self._on_connect(run_id)
        return self._connection

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


async def _run_id(connection: AbstractConnection) -> str:
    """Name the server's run: another one means a restart or a failover. Empty if it won't say."""
    await connection.send_packed_command(_packed(("INFO", "server")), check_health=False)
    try:
        told = await connection.read_response()
    except NoPermissionError:
        return ""
    fields = dict(line.split(b":", 1) for line in told.split(b"\r\n") if b":" in line)
    return str(fields.get(b"run_id", b"").decode())


def _connection(settings: Settings) -> AbstractConnection:
    host, _, port = settings.redis_addr.rpartition(":")
    timeout = settings.redis_timeout_ms / 1_000
    kind = SSLConnection if settings.redis_tls == "on" else Connection
    # redis-py would retry by itself, ten times: a script must run once, and the caller decides.
    return kind(
        host=host,
        port=int(port),
        username=settings.redis_username or None,
        password=settings.redis_password or None,
        db=settings.redis_db,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
    )


def _packed(command: Command) -> bytes:
    # In C, unlike redis-py's own packing; its stubs know one-word commands only.
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed
