"""A keep-alive HTTP connection with one request in flight, as cheap as asyncio lets it be.

No tasks and no futures per request: a response calls `replied`, which sends the next request.
"""

import asyncio
from time import perf_counter
from typing import cast

from local.bench.address import Address
from local.bench.response import MalformedResponseError, Reply, ResponseReader

CONNECT_SECONDS_MAX = 10.0


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed, for it costs least."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Connection(asyncio.Protocol):
    """Subclasses say what to do with a reply, and what to do when the connection closed."""

    request = b""
    sent_at = 0.0  # perf_counter when the request in flight left; 0 when none is
    opened_at = 0.0  # perf_counter when the connection was made
    sent_last = 0.0  # perf_counter when the last request left
    arrived = 0.0  # perf_counter when the last reply was whole
    queued = False  # a request waits for a connection
    down = True  # there is no connection, nor one still closing

    def __init__(self, address: Address) -> None:
        self.address = address
        self._transport: asyncio.WriteTransport | None = None
        self._reader = ResponseReader()
        self._fault = ""

    def replied(self, reply: Reply) -> None:
        """The response to the request in flight; may send the next."""
        raise NotImplementedError

    def closed(self, fault: str) -> None:
        """The connection is gone; `fault` is empty unless a request in flight went with it."""
        raise NotImplementedError

    async def open(self) -> None:
        """Connects, or connects again; what was sent meanwhile leaves now. Raises OSError."""
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            await asyncio.get_running_loop().create_connection(
                lambda: self, self.address.host, self.address.port, ssl=self.address.context
            )

    def send(self, request: bytes) -> None:
        """Sends a request now or, if there is no connection, as soon as there is one."""
        self.request = request
        if self._transport is None:
            self.queued = True
        else:
            self.sent_at = self.sent_last = perf_counter()
            self._transport.write(request)

    def close(self) -> None:
        """Closes once what was written has left; `closed` follows."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def fail(self, fault: str) -> None:
        """Cuts the connection; `closed` will tell why."""
        self._fault = fault
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self.down = False
        self.opened_at = perf_counter()
        if self.queued:
            self.queued = False
            self.send(self.request)

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except MalformedResponseError as error:
            self.fail(str(error))
            return
        if not replies:
            return
        if len(replies) > 1 or not self.sent_at:
            self.fail("a response to no request")
        else:
            self._deliver(replies[0])

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.down = True
        fault, self._fault = self._fault, ""
        try:
            last = self._reader.end()
        except MalformedResponseError as error:
            last, fault = None, fault or str(error)
        if last is not None and self.sent_at:
            self._deliver(last)
        elif self.sent_at and not fault:
            fault = str(exc or "connection closed instead of a response")
        self.sent_at = 0.0
        self.closed(fault)

    def _deliver(self, reply: Reply) -> None:
        self.arrived = perf_counter()
        self.sent_at = 0.0
        if reply.closes:
            self.close()
        self.replied(reply)


class _Once(Connection):
    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()

    def replied(self, reply: Reply) -> None:
        self.reply.set_result(reply)

    def closed(self, fault: str) -> None:
        self.gone.set()
        if not self.reply.done():
            self.reply.set_exception(ConnectionError(fault))


async def ask(address: Address, method: str, target: str, *, seconds_max: float = 10.0) -> Reply:
    """One request on a connection of its own.

    Raises OSError or TimeoutError when there is no whole response.
    """
    once = _Once(address)
    once.send(address.request(method, target))
    await once.open()
    try:
        return await asyncio.wait_for(once.reply, seconds_max)
    finally:
        once.close()
        await once.gone.wait()
