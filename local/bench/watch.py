"""What the parent does while the crowd shops: watches processes and stock, shows progress."""

import asyncio
import sys
import threading
from collections.abc import Callable
from time import perf_counter

from local.bench.address import Address
from local.bench.family import Courses, Family
from local.bench.service import ServiceError, stats
from local.bench.tally import Progress

POLL_SECONDS = 1.0
POINTS_MAX = 300  # of a plot: longer runs are looked at less often
PLAIN_SECONDS = 5.0  # between lines when nobody watches a terminal


class Stock:
    """Asks GET /stats once a second in a thread of its own; these requests are counted apart."""

    def __init__(self, address: Address, seconds: float) -> None:
        """For a run of about so many seconds."""
        self._address = address
        self._pause = max(POLL_SECONDS, seconds / POINTS_MAX)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._began = 0.0
        self.seconds: list[float] = []
        self.left: list[int] = []
        self.requests = 0
        self.failed = 0

    def start(self, began: float) -> None:
        """`began` is a perf_counter."""
        self._began = began
        self._thread.start()

    def stop(self) -> None:
        """Asks a last time."""
        if self._thread.is_alive():
            self._ended.set()
            self._thread.join()

    def _poll(self) -> None:
        while not self._ended.is_set():
            self._ask()
            self._ended.wait(self._pause)
        self._ask()

    def _ask(self) -> None:
        self.requests += 1
        try:
            left = asyncio.run(stats(self._address)).inventory
        except ServiceError:
            self.failed += 1
            return
        self.seconds.append(perf_counter() - self._began)
        self.left.append(left)


class Watch:
    """Of one phase of a run: pass `started` and `tick` to the crowd, then `stop`."""

    def __init__(
        self,
        title: str,
        *,
        family: Family | None,
        stock: Stock | None,
        seconds: float,
        say: Callable[[str], None],
    ) -> None:
        """`say` prints a line for the user; `seconds`: about how long it will take."""
        self._title = title
        self._family = family
        self._stock = stock
        self._say = say
        self._sample_seconds = max(0.5, seconds / POINTS_MAX)
        self._began = self._sampled = self._said = 0.0
        self._before = Progress()
        self._on_terminal = sys.stderr.isatty()

    def started(self, began: float) -> None:
        """All are connected; the first request leaves at `began`, a perf_counter."""
        self._began = self._sampled = self._said = began
        if self._family:
            self._family.start(began)
        if self._stock:
            self._stock.start(began)

    def tick(self, progress: Progress) -> None:
        """Called a few times a second with the running totals."""
        moment = perf_counter()
        if self._family and moment - self._sampled >= self._sample_seconds:
            self._sampled = moment
            self._family.sample(moment)
        pause = 1.0 if self._on_terminal else PLAIN_SECONDS
        if moment - self._said < pause:
            return
        line = self._line(progress, moment)
        if self._on_terminal:
            sys.stderr.write(f"\r\033[K{line}")
            sys.stderr.flush()
        else:
            self._say(line)
        self._said, self._before = moment, progress

    def stop(self) -> None:
        """Takes the last samples, and the progress line away."""
        if self._family and self._began:
            self._family.sample(perf_counter())
        if self._stock and self._began:
            self._stock.stop()
        if self._on_terminal:
            sys.stderr.write("\r\033[K")

    @property
    def courses(self) -> Courses | None:
        return self._family.courses if self._family else None

    def _line(self, progress: Progress, moment: float) -> str:
        seconds = moment - self._said
        pairs = (progress.pairs - self._before.pairs) / seconds
        answers = (progress.answers - self._before.answers) / seconds
        stock = f", {self._stock.left[-1]:,} left" if self._stock and self._stock.left else ""
        return (
            f"{self._title} {moment - self._began:4.0f} s: {answers:,.0f} answers/s,"
            f" {pairs:,.0f} pairs/s{stock}; {progress.turned_away:,} turned away,"
            f" {progress.errors:,} errors"
        )
