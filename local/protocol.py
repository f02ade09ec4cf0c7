"""uvicorn's HTTP protocol with bounds: on what a request may be, and on who may come in.

uvicorn has none: half-sent requests would stay for ever, and a header could be as long as memory
lasts. docs/LIMITS.md lists what is told to whom.
"""

import functools
from collections.abc import Iterable
from typing import Any

import httptools

from local import head, rejected
from local.patience import PatientProtocol
from local.rejected import Rejected

# Only so many bytes are parsed ahead of the answers: a pipelined request takes a hundred times the
# memory of its bytes.
SLICE_BYTES = 4_096

_KEEP_ALIVE = (b"connection", b"keep-alive")


class BoundedProtocol(PatientProtocol):
    """Refuses what is no HTTP, too large, too slow or too much, in the shape of all refusals."""

    _fed = 0  # bytes that the parser was given last
    _rest = b""  # bytes that wait until the requests before them are answered
    _barren = 0  # bytes since the last one of a body: sizes of chunks, trailers
    _body_bytes = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._small_bytes = min(self._bounds.url_bytes, self._bounds.head_bytes)
        self._headers_max = self._bounds.headers

    def data_received(self, data: bytes) -> None:
        if len(data) > SLICE_BYTES or self._rest:
            self._feed_slices(self._rest + data)
            return
        self._fed = len(data)
        if self._reading_head:
            self._head_bytes += self._fed
        else:
            self._barren += self._fed
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Nothing is upgraded to: the next request follows.
            if rest := data[upgrade.args[0] :]:
                self.data_received(rest)
            return
        except httptools.HttpParserError as error:
            told = error.__context__
            no_http = rejected.malformed("this is no HTTP request")
            self._refuse(told if isinstance(told, Rejected) else no_http)
            return
        if self._head_bytes:
            self._look_at_half_a_request()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = self._head_bytes or self._fed

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading_head:  # a trailer is none of the headers that were checked
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._reading_head = False
        self._arriving_since = 0.0
        self._body_bytes = self._barren = 0
        bounds, method = self._bounds, self.parser.get_method()
        version = self.parser.get_http_version()
        if self._head_bytes > self._small_bytes or len(self.headers) > self._headers_max:
            head.check_size(self.url, self.headers, bounds)
        self.expect_100_continue = head.check(method, version, self.headers, bounds)
        if self.url[:1] != b"/" and self.url != b"*":
            self.url, self.headers[:] = head.origin_form(self.url, self.headers)
        app, self.app = self.app, self._app_for(method)
        try:
            super().on_headers_complete()
        finally:
            self.app = app
        if version == "1.0" and self.parser.should_keep_alive():
            self.cycle.keep_alive = True
            self.cycle.default_headers = [*self.cycle.default_headers, _KEEP_ALIVE]

    def on_body(self, body: bytes) -> None:
        self._barren = 0
        self._body_bytes += len(body)
        if self._body_bytes > self._bounds.body_bytes:
            raise rejected.too_large()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading_head = True
        self._head_bytes = 0
        self._arriving_since = 0.0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        else:
            self._idle_since = self.loop.time()
            if self._last_words is not None:
                self._hang_up(self._last_words)
                return
            self.flow.resume_reading()
        if self._rest and not self.pipeline:
            self._feed_slices(self._rest)

    def _app_for(self, method: bytes) -> Any:
        """Who answers the request whose head is complete."""
        if len(self.tasks) >= self._door.calm and self._is_one_too_many(method):
            return rejected.overloaded()
        if self.url == b"*" and method == b"OPTIONS":
            return functools.partial(_options, self.app.exact)
        return self.app

    def _is_one_too_many(self, method: bytes) -> bool:
        path = self.url.partition(b"?")[0]
        places = self._door.places(method.decode("ascii"), path.decode("latin-1"))
        return len(self.tasks) >= places

    def _feed_slices(self, data: bytes) -> None:
        self._rest = b""
        for start in range(0, len(data), SLICE_BYTES):
            if self._has_left or self._last_words or self.transport.is_closing():
                return
            if self.pipeline:
                self._rest = data[start:]
                self.flow.pause_reading()
                return
            self.data_received(data[start : start + SLICE_BYTES])

    def _look_at_half_a_request(self) -> None:
        bounds = self._bounds
        # The head may have begun anywhere in its first slice.
        if self._reading_head and self._head_bytes > bounds.head_bytes + SLICE_BYTES:
            if len(self.url) > bounds.url_bytes:
                self._refuse(rejected.too_long(self.url, bounds.url_bytes))
            else:
                self._refuse(rejected.head_too_large())
        elif self._barren > bounds.head_bytes and not self._reading_head:
            self._refuse(rejected.head_too_large("too much between the parts of the body"))
        elif not self._arriving_since:
            self._arriving_since = self.loop.time()


async def _options(exact: Iterable[tuple[str, str]], scope: Any, receive: Any, send: Any) -> None:
    """`OPTIONS *`: what the server knows, whatever the path."""
    methods = sorted({method for method, _ in exact} | {"OPTIONS"})
    allow = (b"allow", ", ".join(methods).encode())
    await send({"type": "http.response.start", "status": 204, "headers": [allow]})
    await send({"type": "http.response.body"})
