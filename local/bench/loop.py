"""The two ways to send visitors: when the one before has left, or when the clock says so."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from math import inf
from time import perf_counter
from typing import Protocol

from local.bench.histogram import bucket_of
from local.bench.shopper import Shopper
from local.bench.tally import Tally
from local.bench.wish import Wish

# uvloop's clock ticks in milliseconds: a shorter pause would be none, and the loop would spin.
TURN_SECONDS = 0.001


class Loop(Protocol):
    """`start` begins at `tally.began`; `done` is called once, when the last visit has ended."""

    def start(self, shoppers: list[Shopper], done: Callable[[], None]) -> None: ...
    def finished(self, shopper: Shopper) -> None: ...
    def look(self, moment: float) -> None: ...
    def stop(self) -> None: ...


class ClosedLoop:
    """Each user waits for the answer before going on: a slow service is asked less often."""

    def __init__(
        self, wishes: Iterator[Wish], tally: Tally, *, seconds: float, finite: bool
    ) -> None:
        """No visit begins after so many seconds; `finite`: all of the wishes should be tried."""
        self._wishes = wishes
        self._tally = tally
        self._seconds = seconds
        self._finite = finite
        self._users = 0
        self._done: Callable[[], None] = lambda: None

    def start(self, shoppers: list[Shopper], done: Callable[[], None]) -> None:
        self._users, self._done = len(shoppers), done
        for shopper in shoppers:
            self.finished(shopper)

    def finished(self, shopper: Shopper) -> None:
        moment = perf_counter()
        ends = self._tally.began + self._seconds
        wish = next(self._wishes, None) if moment < ends else None
        if wish is not None:
            self._tally.at(moment).arrived += 1
            shopper.begin(wish, moment)
            return
        shopper.close()
        self._users -= 1
        if not self._users:
            self._done()

    def look(self, moment: float) -> None:
        """Nobody waits but for answers, which the shoppers see to."""

    def stop(self) -> None:
        """Counts what was to be bought and nobody came to."""
        if self._finite:
            self._tally.not_tried = sum(1 for _ in self._wishes)


class OpenLoop:
    """Visitors arrive when the schedule says, and wait where no connection is free.

    All times count from the scheduled arrival. That is the correction of coordinated omission:
    while the service stalls, those who were due meanwhile have a long wait too.
    """

    def __init__(
        self,
        wishes: Iterator[Wish],
        times: Iterator[float],
        tally: Tally,
        *,
        give_up_seconds: float,
    ) -> None:
        """`times` are seconds after `tally.began`."""
        self._wishes = wishes
        self._times = times
        self._tally = tally
        self._give_up_seconds = give_up_seconds
        # Taken in turn: the last one free again and again would reach one process of the service.
        self._free: deque[Shopper] = deque()
        self._waiting: deque[float] = deque()  # when each was due, as perf_counter
        self._next = inf
        self._busy = 0
        self._done: Callable[[], None] = lambda: None

    def start(self, shoppers: list[Shopper], done: Callable[[], None]) -> None:
        self._free, self._done = deque(shoppers), done
        self._advance()
        self._arrive()

    def finished(self, shopper: Shopper) -> None:
        self._busy -= 1
        self._free.append(shopper)
        if self._waiting:
            self._serve()
        elif self._next == inf and not self._busy:
            self._done()

    def look(self, moment: float) -> None:
        """Counts those who have waited for a connection as long as one waits for an answer."""
        patience = self._give_up_seconds
        while self._waiting and self._waiting[0] < moment - patience:
            waited = moment - self._waiting.popleft()
            fault = f"no connection was free for {patience:g} s"
            self._tally.failed("arrival", "no_connection", fault, moment)
            self._tally.waited("arrival", waited, moment)
        if self._next == inf and not self._busy and not self._waiting:
            self._done()

    def stop(self) -> None:
        """All arrivals were taken up or counted."""

    def _advance(self) -> None:
        due = next(self._times, None)
        self._next = inf if due is None else self._tally.began + due

    def _arrive(self) -> None:
        moment, waited = perf_counter(), len(self._waiting)
        while self._next <= moment:
            interval = self._tally.at(self._next)
            interval.arrived += 1
            interval.latencies["lag"][bucket_of(moment - self._next)] += 1
            self._waiting.append(self._next)
            self._advance()
        came = len(self._waiting) - waited
        self._serve()
        self._tally.queued += min(came, len(self._waiting))
        if self._next < inf:
            pause = max(TURN_SECONDS, self._next - perf_counter())
            asyncio.get_running_loop().call_later(pause, self._arrive)

    def _serve(self) -> None:
        while self._waiting and self._free:
            self._busy += 1
            self._free.popleft().begin(next(self._wishes), self._waiting.popleft())
