"""One connection's visitor: buys (checks out, purchases) or looks, one visit after another."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from urllib.parse import quote

from local.bench.address import Address
from local.bench.connection import Connection
from local.bench.response import Reply
from local.bench.tally import FINAL, TURNED_AWAY, Tally
from local.bench.wish import Wish

RESEND_SECONDS = 1.0  # unless Retry-After says
RESEND_SECONDS_MAX = 10.0  # whatever it says
RECONNECT_SECONDS = 0.1
IDLE_SECONDS_MIN = 1.0  # a server may close a connection that was idle so long, as we send


@dataclass(frozen=True)
class Patience:
    """How long one request may take, and how often it is sent again when it was not answered or
    turned away: in a closed loop often, in an open loop never."""

    give_up_seconds: float
    resends_max: int


class Shopper(Connection):
    """`finished` is called at the end of each visit, when it can take the next."""

    def __init__(
        self,
        address: Address,
        tally: Tally,
        patience: Patience,
        finished: Callable[["Shopper"], None],
    ) -> None:
        super().__init__(address)
        self._tally = tally
        self._patience = patience
        self._finished = finished
        before, after = address.request("POST", "/purchase?code=\0").split(b"\0")
        self._purchase = before, after
        self._wish = Wish("", b"", 0)
        self.step = ""  # the request under way, or the last one
        self.busy = False  # in a visit
        self._began = 0.0  # perf_counter when the visit was due
        self._asked = 0.0  # perf_counter when the request was due
        self._resends = 0
        self._reopened = False
        self._idle_since = 0.0  # perf_counter of the last reply before the request under way
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    def begin(self, wish: Wish, due: float) -> None:
        """Starts a visit that was `due` at a perf_counter that may be past: its wait counts."""
        self.busy = True
        self._wish = wish
        self._began = due
        self._ask(wish.step, wish.request, due)

    def _ask(self, step: str, request: bytes, due: float) -> None:
        self.step = step
        self._asked = due
        self._resends = 0
        self._reopened = False
        self._idle_since = self.arrived
        self.send(request)
        if self.queued and self.down:
            self._reopen()

    def replied(self, reply: Reply) -> None:
        """Goes on with the visit after a good reply; `_refused` takes all others."""
        step, moment = self.step, self.arrived
        if reply.status == 408 and self._met_an_idle_end():
            self._send_once_more()
        elif reply.status not in (200, 201):
            self._refused(reply)
        elif step == "checkout":
            code = _word(reply.body, "checkout_code")
            if not code:
                self._blame(reply, "no code")
                return
            self._tally.answered((step, 200, ""), moment - self._asked, moment)
            before, after = self._purchase
            self._ask("purchase", before + quote(code, safe="").encode() + after, moment)
        else:
            self._tally.answered((step, 200, ""), moment - self._asked, moment).good += 1
            self._tally.now.good += 1
            if step == "purchase":
                self._tally.bought(self._wish.item, reply.body, moment - self._began, moment)
            self._end()

    def closed(self, fault: str) -> None:
        """What was cut off is sent again over a new connection, or counted as failed."""
        if not self.busy:
            return  # nobody was using it: servers close what is idle, some with a word
        if not fault:
            if self.queued:
                self._reopen()
        elif fault == "connection closed instead of a response" and self._met_an_idle_end():
            self._send_once_more()
        else:
            self._failed("timeout" if fault.startswith("no answer") else "lost", fault)

    def overdue(self, moment: float) -> None:
        """Cuts the connection if its request has waited too long for an answer."""
        limit = self._patience.give_up_seconds
        if 0.0 < self.sent_at < moment - limit:
            self.fail(f"no answer within {limit:g} s")

    def _refused(self, reply: Reply) -> None:
        tally, step, moment = self._tally, self.step, self.arrived
        word = _word(reply.body, "error")
        wait = reply.retry_after_seconds()
        if (reply.status, word) in FINAL:
            tally.answered((step, reply.status, word), moment - self._asked, moment).good += 1
            tally.now.good += 1
            self._end()
        elif reply.status in TURNED_AWAY and (wait is not None or not word):
            # One without Retry-After must not be the service's own; its replies have a word.
            tally.turned_away((step, reply.status, word), moment)
            if self._patience.resends_max:
                self._send_again(RESEND_SECONDS if wait is None else min(wait, RESEND_SECONDS_MAX))
            else:
                tally.unheard += step == "purchase"
                self._end()
        else:
            self._blame(reply, word)

    def _blame(self, reply: Reply, word: str) -> None:
        self._tally.unheard += self.step == "purchase" and reply.status >= 500
        self._tally.blame(self.step, reply, word, self.arrived)
        self._end()

    def _end(self) -> None:
        self.busy = False
        self._finished(self)

    def _met_an_idle_end(self) -> bool:
        """Whether the server was closing an idle connection just when we sent on it: that is no
        fault of its, and as any HTTP client we send the request again, once."""
        idle_seconds = self.sent_last - max(self.opened_at, self._idle_since)
        return idle_seconds > IDLE_SECONDS_MIN and not self._reopened

    def _send_once_more(self) -> None:
        self._reopened = True
        self._tally.reopened += 1
        self.send(self.request)
        if self.down:
            self._reopen()

    def _failed(self, kind: str, fault: str) -> None:
        moment = perf_counter()
        self._tally.failed(self.step, kind, fault, moment)
        self._tally.waited(self.step, moment - self._asked, moment)
        if self._patience.resends_max:
            self._send_again(RECONNECT_SECONDS)
        else:
            self._tally.unheard += self.step == "purchase"
            # A service that refuses connections is not asked for them in a tight loop.
            asyncio.get_running_loop().call_later(RECONNECT_SECONDS, self._end)

    def _send_again(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._resends >= self._patience.resends_max:
            moment = perf_counter()
            self._tally.failed(self.step, "given_up", "sent again too often", moment)
            self._tally.unheard += self.step == "purchase"
            self._end()
            return
        self._resends += 1
        self._tally.resent += 1
        self._timer = asyncio.get_running_loop().call_later(seconds, self._resend)

    def _resend(self) -> None:
        self._asked = perf_counter()
        self.send(self.request)
        if self.queued and self.down:
            self._reopen()

    def _reopen(self) -> None:
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        try:
            await self.open()
        except OSError as error:
            self.queued = False
            self._opening = None
            self._failed("connect", str(error) or type(error).__name__)


def _word(body: bytes, key: str) -> str:
    """The text under `key` of a JSON object, or nothing."""
    try:
        found = json.loads(body.decode())
    except ValueError:
        return ""
    word = found.get(key) if isinstance(found, dict) else None
    return word if isinstance(word, str) else ""
