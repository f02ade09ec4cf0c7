"""One connection's closed loop: check an item out, purchase it, take the next."""

import asyncio
import json
from collections.abc import Callable, Iterator
from time import perf_counter
from urllib.parse import quote

from tests.benchmarks.connection import Address, Connection
from tests.benchmarks.response import Reply
from tests.benchmarks.tally import Tally

RESEND_SECONDS_MAX = 10.0  # however long Retry-After asks for
RECONNECT_SECONDS = 0.1


class Shopper(Connection):
    """Takes its orders (checkout requests, ready to send) from an iterator shared with others."""

    def __init__(
        self,
        *,
        address: Address,
        orders: Iterator[bytes],
        tally: Tally,
        resends_max: int,
        left: Callable[[], None],
    ) -> None:
        """`left` is called once, when there are no more orders or one request had to be given up.

        `resends_max`: how often one request is sent again.
        """
        super().__init__(address)
        self._orders = orders
        self._tally = tally
        self._resends_max = resends_max
        self._left = left
        before, after = address.request("POST", "/purchase?code=\0").split(b"\0")
        self._purchase = before, after
        self._step = "checkout"
        self._began = 0.0
        self._resends = 0
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    def start_pair(self) -> None:
        """Sends the next order's checkout, or leaves."""
        order = next(self._orders, None)
        if order is None:
            self._leave()
            return
        self._step = "checkout"
        self._resends = 0
        self._began = perf_counter()
        self.send(order)

    def replied(self, reply: Reply) -> None:
        """Goes on with the pair after an accepted request; see `_refused` for all others."""
        tally, step, status = self._tally, self._step, reply.status
        if status == 200 and step == "purchase":
            tally.replies[step, 200, ""] += 1
            tally.latencies[step].append(self.took)
            tally.latencies["pair"].append(perf_counter() - self._began)
            tally.receipts.append(reply.body)
            self.start_pair()
        elif (
            step == "checkout"
            and status in (200, 201)
            and (code := _word(reply.body, "checkout_code"))
        ):
            tally.replies[step, status, ""] += 1
            tally.latencies[step].append(self.took)
            before, after = self._purchase
            self._step = "purchase"
            self._resends = 0
            self.send(before + quote(code, safe="").encode() + after)
        else:
            self._refused(reply)

    def closed(self, fault: str) -> None:
        """Sends again what was cut off (the same code is safe); connects again if need be."""
        if fault:
            self._tally.lost_connections[fault] += 1
            self._send_again(RECONNECT_SECONDS)
        elif self.queued:
            self._opening = asyncio.get_running_loop().create_task(self._reopen())

    def _refused(self, reply: Reply) -> None:
        tally, step = self._tally, self._step
        tally.replies[step, reply.status, _word(reply.body, "error")] += 1
        wait = reply.retry_after_seconds()
        if reply.status == 503 and wait is not None:
            self._send_again(min(wait, RESEND_SECONDS_MAX))
        elif reply.status == 409 and _word(reply.body, "message") == "item sold out":
            tally.already_sold += 1
            self.start_pair()
        else:
            tally.blame(step, reply)
            self.start_pair()

    def _send_again(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._resends == self._resends_max:
            self._tally.given_up += 1
            self._leave()
            return
        self._resends += 1
        self._tally.resent += 1
        self._timer = asyncio.get_running_loop().call_later(seconds, self._resend)

    def _resend(self) -> None:
        self.send(self.request)
        if self.down:
            self._opening = asyncio.get_running_loop().create_task(self._reopen())

    async def _reopen(self) -> None:
        for _ in range(self._resends_max):
            try:
                await self.open()
            except OSError as error:
                self._tally.lost_connections[str(error)] += 1
                await asyncio.sleep(RECONNECT_SECONDS)
            else:
                return
        self._tally.given_up += 1
        self._leave()

    def _leave(self) -> None:
        self.close()
        self._left()


def _word(body: bytes, key: str) -> str:
    """The text under `key` of a JSON object, or nothing."""
    try:
        found = json.loads(body.decode())
    except ValueError:
        return ""
    word = found.get(key) if isinstance(found, dict) else None
    return word if isinstance(word, str) else ""
