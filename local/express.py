"""The express lane: uvicorn's protocol, and a shorter way for the requests a sale is made of.

Between the bytes of a request and a function's event lie an ASGI scope, a cycle with its event, two
messages and a dozen header checks, which together cost as much as selling an item. A request
without a body for a path that is in the gateway's table needs none of it: it becomes an event here,
and its result one write. Whatever is any different takes the usual way through uvicorn and
Starlette, which answer it just the same.
"""

import asyncio
import functools

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from local import rejected
from local.events import Scope
from local.gateway import Invoke
from local.head import is_host
from local.protocol import BoundedProtocol

_WORTH_A_LOOK = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade"))


class ExpressProtocol(BoundedProtocol):
    """Serves what `app.exact` has, a dictionary from method and path to `Invoke`, by itself."""

    _request: "_Request | None" = None

    def on_message_begin(self) -> None:
        # uvicorn makes the scope here; it is made only when the usual way is taken.
        self.url = b""
        self.headers = []
        self._head_bytes = self._head_bytes or self._fed  # of the bytes that have come

    def on_headers_complete(self) -> None:
        large = self._head_bytes > self._small_bytes or len(self.headers) > self._headers_max
        request = None if large else self._express()
        if request is None:
            self._take_the_usual_way()
            return
        self._request = request
        self._reading_head = False
        if len(self.tasks) >= self._door.calm and not self.flow.write_paused:
            method = request.scope["method"].encode()
            request.response_complete = self._is_one_too_many(method)
        # It stands where uvicorn has the request in progress, so that pipelined ones queue behind
        # it, and a shutdown waits for it.
        self.cycle = request  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        super().on_message_complete()
        request, self._request = self._request, None
        if request is None:
            return
        if request.response_complete:
            self._turn_away()
            return
        request.task = self.loop.create_task(self._serve(request))
        self.tasks.add(request.task)

    def _turn_away(self) -> None:
        """Answer 503 at once: whoever is turned away must cost nearly nothing."""
        self.server_state.total_requests += 1
        self._idle_since = self.loop.time()
        refusal = rejected.overloaded()
        default = self.server_state.default_headers
        self.transport.write(refusal.response(default, close=False))

    def _express(self) -> "_Request | None":
        """A plain request that nothing stands before; None for all others."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            return None
        target, _, query = self.url.partition(b"?")
        method, path = self.parser.get_method().decode("ascii"), target.decode("latin-1")
        exact: dict[tuple[str, str], Invoke] = self.app.exact
        endpoint = exact.get((method, path))
        if (
            endpoint is None
            or b"#" in query
            or self.parser.get_http_version() != "1.1"
            or not self.parser.should_keep_alive()
        ):
            return None
        hosts = 0
        for name, value in self.headers:
            if name in _WORTH_A_LOOK:
                if name == b"host" and is_host(value):
                    hosts += 1
                elif name != b"content-length" or value != b"0":
                    return None
        if hosts != 1:
            return None
        scope = {
            "method": method,
            "path": path,
            "query_string": query,
            "http_version": "1.1",
            "headers": self.headers,
            "client": self.client,
        }
        return _Request(endpoint, scope)

    def _take_the_usual_way(self) -> None:
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers.extend(headers)  # which the scope holds
        super().on_headers_complete()

    async def _serve(self, request: "_Request") -> None:
        try:
            await self._answer(request)
        finally:
            self.tasks.discard(request.task)

    async def _answer(self, request: "_Request") -> None:
        status, headers, body = await request.endpoint.respond(request.scope, b"")
        if self.flow.write_paused:  # the client reads more slowly than it asks
            await self.flow.drain()
        if request.disconnected:
            return
        head = _head(status, tuple(headers), tuple(self.server_state.default_headers))
        closing = b"" if request.keep_alive else b"connection: close\r\n"
        self.transport.write_now(b"%b%b\r\n%b" % (head, closing, body))  # type: ignore[attr-defined]
        request.response_complete = True
        if not request.keep_alive:
            self.transport.close()
        self.on_response_complete()


class _Request:
    """A request in progress, with as much of uvicorn's `RequestResponseCycle` as its protocol asks
    for."""

    __slots__ = (
        "disconnected",
        "endpoint",
        "keep_alive",
        "more_body",
        "response_complete",
        "scope",
        "task",
    )

    def __init__(self, endpoint: Invoke, scope: Scope) -> None:
        self.endpoint = endpoint
        self.scope = scope
        self.task: asyncio.Task[None] | None = None
        self.disconnected = False
        self.keep_alive = True
        self.more_body = True
        self.response_complete = False

    @property
    def message_event(self) -> "_Request":
        return self

    def set(self) -> None:
        """Nobody waits for a message."""


@functools.lru_cache(maxsize=512)
def _head(
    status: int, headers: tuple[tuple[bytes, bytes], ...], default: tuple[tuple[bytes, bytes], ...]
) -> bytes:
    """The head of a response, without its last line. `headers` are checked already; `default` are
    the server's own, with the date: one second's answers share it."""
    lines = [b"%b: %b\r\n" % header for header in (*default, *headers)]
    return b"".join([STATUS_LINE[status], *lines])
