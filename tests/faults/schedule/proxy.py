"""A TCP proxy between a service and a store, which can do to the bytes what networks do."""

import asyncio
from collections import deque

HOST = "127.0.0.1"


class Proxy:
    """One listening port in front of one store. Everything is well until a fault is set:

    `refusing`       connections are closed as soon as they are made
    `holding`        nothing passes, in either direction, not even a close; all of it arrives when
                     the hold ends, as TCP would deliver it after a black hole
    `deaf`           what the store says is dropped, while what it is told arrives
    `delay_seconds`  every piece arrives so much later
    """

    def __init__(self, port: int) -> None:
        self.target_port = port
        self.port = 0
        self.refusing = False
        self.holding = False
        self.deaf = False
        self.delay_seconds = 0.0
        self.links: set[_Link] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Link(self).client, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Break every connection; what is on its way is lost."""
        for link in tuple(self.links):
            link.abort()

    def repoint(self, port: int) -> None:
        """Lead to another store from now on, as a name does after a failover."""
        self.target_port = port
        self.cut()

    def mend(self) -> None:
        """End every fault. Connections that missed a reply are out of step: those break."""
        self.refusing, self.holding, self.deaf, self.delay_seconds = False, False, False, 0.0
        for link in tuple(self.links):
            if link.missed:
                link.abort()
            else:
                link.drain()

    def vanish(self) -> None:
        """Lose the client as a power cut would: the store is never told, and keeps its end."""
        for link in tuple(self.links):
            link.vanish()
        self._shut()

    def close(self) -> None:
        self.cut()
        self._shut()

    def _shut(self) -> None:
        if self._server is not None:
            self._server.close()


class _Side(asyncio.Protocol):
    """One end of a link."""

    def __init__(self, link: "_Link") -> None:
        self.link = link
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.link.made(self)

    def data_received(self, data: bytes) -> None:
        self.link.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.link.received(self, None)


class _Link:
    """A client's connection and ours to the store, with the pieces under way between them."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.client, self.store = _Side(self), _Side(self)
        self.missed = False
        self._vanished = False
        self._under_way: deque[tuple[float, _Side, bytes | None]] = deque()
        self._loop = asyncio.get_running_loop()
        self._dialling: asyncio.Task[None] | None = None

    def made(self, side: _Side) -> None:
        if side is self.store:
            self.drain()
        elif self.proxy.refusing:
            self.abort()
        else:
            self.proxy.links.add(self)
            self.drain()

    def received(self, side: _Side, data: bytes | None) -> None:
        """Take a piece from one side for the other; None is its end."""
        if self not in self.proxy.links or self._vanished:
            return
        if side is self.store and self.proxy.deaf:
            self.missed = True
            return
        to = self.client if side is self.store else self.store
        due = self._loop.time() + self.proxy.delay_seconds
        self._under_way.append((due, to, data))
        self.drain()

    def drain(self) -> None:
        """Pass on what may pass; the store is dialled first."""
        if self.proxy.holding or self not in self.proxy.links:
            return
        if self.store.transport is None:
            if self._dialling is None:
                self._dialling = self._loop.create_task(self._dial())
            return
        while self._under_way:
            due, to, data = self._under_way[0]
            if due > self._loop.time():
                self._loop.call_at(due, self.drain)
                return
            self._under_way.popleft()
            if data is None:
                self._end()
                return
            assert to.transport is not None
            to.transport.write(data)

    def abort(self) -> None:
        self.proxy.links.discard(self)
        for side in (self.client, self.store):
            if side.transport is not None:
                side.transport.abort()

    def vanish(self) -> None:
        self._vanished = True
        if self.client.transport is not None:
            self.client.transport.abort()

    def _end(self) -> None:
        """Close in good order: what was written before is delivered."""
        self.proxy.links.discard(self)
        for side in (self.client, self.store):
            if side.transport is not None:
                side.transport.close()

    async def _dial(self) -> None:
        try:
            await self._loop.create_connection(lambda: self.store, HOST, self.proxy.target_port)
        except OSError:
            self.abort()
        else:
            if self not in self.proxy.links:  # the client was cut off meanwhile
                self.abort()
