"""uvicorn's HTTP protocol with an end to everything that a client may make it wait for.

A connection has one timer, whose look finds what is overdue: a request in time costs no timer.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from local import rejected
from local.bounds import Bounds
from local.door import Door
from local.rejected import Rejected
from local.transport import Corked, Deaf


class PatientProtocol(HttpToolsProtocol):
    """Knows whether a request is arriving, under way or neither, for how long, and hangs up in good
    order: what was asked before is answered first, and the client hears why."""

    url = b""
    _head_bytes = 0  # of the request that arrives, or a few more; 0 if none does
    _reading_head = True
    _arriving_since = 0.0  # when a head or a body was first seen unfinished; 0 if none is
    _idle_since = 0.0
    _unsent_bytes = 0
    _unsent_since = 0.0
    _last_words: Rejected | None = None  # for when all that is under way is answered
    _has_left = False
    _timer: asyncio.TimerHandle | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: Bounds,
        door: Door,
    ) -> None:
        """`door` is shared by all connections of a process."""
        super().__init__(config, server_state, app_state, _loop)
        self._bounds = bounds
        self._door = door
        self._look_seconds = min(bounds.shortest_seconds, self.timeout_keep_alive)

    def connection_made(self, transport: Any) -> None:
        corked: Any = Corked(transport, self.loop)
        super().connection_made(corked)
        self._idle_since = self.loop.time()
        self._call_in(self._look_seconds, self._look)
        refusal = self._door.enter(self, self.client[0] if self.client else "")
        if refusal is not None:
            self._hang_up(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._door.left(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn says None, which is False
        """A client that closes only its own half still gets what it asked for."""
        if self._has_left or not self._is_answering():
            # By itself the transport would close without what is still in the cork.
            self.transport.close()
        elif self._is_arriving():
            self._refuse(rejected.malformed("the request is not whole"))
        elif self._last_words is None:
            self.cycle.keep_alive = False
        return True

    def resume_writing(self) -> None:
        self._unsent_bytes = 0
        super().resume_writing()

    def shutdown(self) -> None:
        if self._is_arriving():
            self._refuse(rejected.stopping())
            return
        super().shutdown()
        if self.flow.write_paused or self.transport.is_closing():
            self._call_in(self._bounds.linger_seconds, self.transport.abort)

    def waiting_since(self) -> float | None:
        """Since when it has nothing under way, for the door; None if it has something."""
        if self._has_left:
            return 0.0
        return None if self._is_answering() else self._idle_since

    def leave(self) -> None:
        """Make room for somebody else."""
        if self._has_left:
            self.transport.abort()
            return
        if self._is_arriving():
            self._give_up_half()
            self._say(rejected.too_slow())
        self.transport.close()

    def _unset_keepalive_if_required(self) -> None:
        """A request has come: the timer goes on, and finds that it has."""

    def _is_arriving(self) -> bool:
        return self._head_bytes > 0

    def _is_answering(self) -> bool:
        """Whether a whole request is under way, or waits for one before it."""
        cycle = self.cycle
        if self.pipeline:
            return True
        if cycle is None or cycle.response_complete:
            return False
        return not (cycle.more_body or cycle.disconnected)

    def _refuse(self, refusal: Rejected) -> None:
        """Listen no more; answer what was asked before, then say why, and hang up."""
        if self._has_left or self._last_words or self.transport.is_closing():
            return
        self._head_bytes = 0
        cycle = self.cycle
        if self.pipeline and cycle.more_body:  # half of it has come, and its turn has not
            self.pipeline[0] = (cycle, refusal)
            cycle.keep_alive = cycle.more_body = False
        else:
            silent = self._give_up_half()
            if not self._is_answering():
                self._hang_up(None if silent else refusal)
                return
            self._last_words = refusal
        self.flow.pause_reading()
        self.transport.set_protocol(Deaf(self))

    def _give_up_half(self) -> bool:
        """Tell the application that the rest of its body won't come. True if it has begun to
        answer, so that nothing else can be said."""
        cycle = self.cycle
        if self.pipeline or cycle is None or cycle.response_complete or not cycle.more_body:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return bool(cycle.response_started)

    def _hang_up(self, refusal: Rejected | None) -> None:
        """Say the last thing, and let the client hear it before the connection is cut."""
        self._has_left = True
        self._last_words = None
        if refusal is not None:
            self._say(refusal)
        self.transport.write_eof()
        self.transport.set_protocol(Deaf(self))
        self.flow.resume_reading()
        self._call_in(self._bounds.linger_seconds, self.transport.abort)

    def _say(self, refusal: Rejected) -> None:
        self.transport.write(refusal.response(self.server_state.default_headers, close=True))

    def _look(self) -> None:
        now = self.loop.time()
        if self._is_stuck(now):
            self.transport.abort()
            return
        seconds_left = self._seconds_left(now)
        if seconds_left <= 0:
            if self._is_arriving():
                self._refuse(rejected.too_slow())
            else:
                self.transport.close()
        if not self._has_left:
            soon = seconds_left if seconds_left > 0 else self._look_seconds
            self._call_in(min(soon, self._look_seconds), self._look)

    def _seconds_left(self, now: float) -> float:
        """Until the client must have done what it is waited for."""
        if self.transport.is_closing():
            return self._look_seconds
        if self._is_arriving():
            if self.flow.read_paused or not self._arriving_since:
                self._arriving_since = now  # it waits for us
            whole = self._bounds.head_seconds if self._reading_head else self._bounds.body_seconds
            return self._arriving_since + whole - now
        if self._is_answering():
            return self._look_seconds
        # uvicorn has no headers until the first request begins.
        whole = self._bounds.head_seconds if self.headers is None else self.timeout_keep_alive
        return self._idle_since + whole - now

    def _is_stuck(self, now: float) -> bool:
        """Whether the client has read nothing for too long, of what nothing was added to."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent:
            self._unsent_bytes = 0
            return False
        quiet = self.flow.write_paused or self.transport.is_closing() or not self._is_answering()
        same = 0 < self._unsent_bytes <= unsent and self._unsent_since >= self._idle_since
        if quiet and same:
            return now - self._unsent_since >= self._bounds.write_seconds
        self._unsent_bytes, self._unsent_since = unsent if quiet else 0, now
        return False

    def _call_in(self, seconds: float, do: Callable[[], object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, do)
