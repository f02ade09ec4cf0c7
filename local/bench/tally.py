"""What one generator process counted and measured, interval by interval."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from local.bench.histogram import Histogram, bucket_of, histogram, merged
from local.bench.response import Reply

UNEXPECTED_KINDS_MAX = 10
TURNED_AWAY = 429, 503  # nothing final happened: send it again
FINAL = {(409, "sold_out"), (410, "code_expired"), (410, "sale_ended")}  # refused for good

Outcome = tuple[str, int, str]  # step; status, 0 if there was no reply; error word, or what failed


def _histograms() -> defaultdict[str, Histogram]:
    return defaultdict(histogram)


@dataclass
class Interval:
    """A stretch of the run. Latencies are of answers that were final, and of what was given up.

    The latency "pair" is a checkout's and its purchase's together, "lag" how much later than
    scheduled the generator took an arrival up.
    """

    arrived: int = 0  # visits that were to begin in it
    good: int = 0  # visits that ended in it with a final answer
    turned_away: int = 0  # replies
    errors: int = 0  # requests without a reply, and replies that nobody should get
    cpu_seconds: float = 0.0  # of the generator
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    latencies: defaultdict[str, Histogram] = field(default_factory=_histograms)

    def add(self, other: "Interval") -> None:
        """Takes in another one's counts."""
        self.arrived += other.arrived
        self.good += other.good
        self.turned_away += other.turned_away
        self.errors += other.errors
        self.cpu_seconds += other.cpu_seconds
        self.outcomes.update(other.outcomes)
        for name, found in other.latencies.items():
            self.latencies[name] = merged((self.latencies[name], found))


@dataclass
class Progress:
    """Running totals, cheap enough to send several times a second."""

    answers: int = 0
    pairs: int = 0
    good: int = 0
    turned_away: int = 0
    errors: int = 0

    def __add__(self, other: "Progress") -> "Progress":
        return Progress(
            self.answers + other.answers,
            self.pairs + other.pairs,
            self.good + other.good,
            self.turned_away + other.turned_away,
            self.errors + other.errors,
        )


@dataclass
class Tally:
    """Times are perf_counter's, one clock for all processes of a machine."""

    interval_seconds: float = 0.25
    began: float = 0.0
    ended: float = 0.0
    intervals: list[Interval] = field(default_factory=list)
    now: Progress = field(default_factory=Progress)
    receipts: list[tuple[int, bytes]] = field(default_factory=list)  # item, body of its purchase
    unexpected: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)  # in words, for requests with no reply
    resent: int = 0
    reopened: int = 0  # idle connections that the server had closed
    unheard: int = 0  # purchases whose outcome nobody told us
    queued: int = 0  # arrivals that found no free connection
    not_tried: int = 0
    _latest: Interval = field(default_factory=Interval)
    _latest_from: float = 0.0
    _latest_until: float = 0.0

    def at(self, moment: float) -> Interval:
        """The interval that a moment belongs to."""
        if self._latest_from <= moment < self._latest_until:
            return self._latest  # as nearly always: this is called for each request
        number = max(0, int((moment - self.began) / self.interval_seconds))
        while number >= len(self.intervals):
            self.intervals.append(Interval())
        self._latest = self.intervals[number]
        self._latest_from = self.began + number * self.interval_seconds
        self._latest_until = self._latest_from + self.interval_seconds
        return self._latest

    def answered(self, outcome: Outcome, took: float, moment: float) -> Interval:
        """Counts a final answer to a request, `took` seconds after it was due."""
        interval = self.at(moment)
        interval.outcomes[outcome] += 1
        interval.latencies[outcome[0]][bucket_of(took)] += 1
        self.now.answers += 1
        return interval

    def bought(self, item: int, receipt: bytes, took: float, moment: float) -> None:
        """Counts a pair, `took` seconds from when its checkout was due."""
        self.at(moment).latencies["pair"][bucket_of(took)] += 1
        self.now.pairs += 1
        self.receipts.append((item, receipt))

    def turned_away(self, outcome: Outcome, moment: float) -> None:
        """Counts a reply that says: not now."""
        interval = self.at(moment)
        interval.outcomes[outcome] += 1
        interval.turned_away += 1
        self.now.turned_away += 1

    def blame(self, step: str, reply: Reply, word: str, moment: float) -> None:
        """Counts a reply that a healthy service would not have given."""
        what = f"{step}: {reply.status} {reply.body[:120].decode(errors='replace')}"
        if what not in self.unexpected and len(self.unexpected) >= UNEXPECTED_KINDS_MAX:
            what = "others"
        self.unexpected[what] += 1
        interval = self.at(moment)
        interval.outcomes[step, reply.status, word] += 1
        interval.errors += 1
        self.now.errors += 1

    def failed(self, step: str, kind: str, fault: str, moment: float) -> None:
        """Counts a request without a reply; `kind` is one word, `fault` says it in words."""
        interval = self.at(moment)
        interval.outcomes[step, 0, kind] += 1
        interval.errors += 1
        self.faults[fault] += 1
        self.now.errors += 1

    def waited(self, step: str, seconds: float, moment: float) -> None:
        """A request that was given up has a latency, too: at least this. Without it, the longest
        waits of an overload would be missing from its percentiles."""
        self.at(moment).latencies[step][bucket_of(seconds)] += 1

    def outcomes(self) -> Counter[Outcome]:
        """Of the whole run."""
        total: Counter[Outcome] = Counter()
        for interval in self.intervals:
            total.update(interval.outcomes)
        return total

    def latencies(self, name: str) -> Histogram:
        """Of the whole run."""
        return merged(interval.latencies[name] for interval in self.intervals)

    @property
    def cpu_seconds(self) -> float:
        """Of all generator processes."""
        return sum(interval.cpu_seconds for interval in self.intervals)

    @property
    def seconds(self) -> float:
        """From the beginning to the last reply."""
        return max(self.ended - self.began, 1e-9)

    def add(self, other: "Tally") -> None:
        """Takes in what another process measured of the same run."""
        for number, interval in enumerate(other.intervals):
            if number >= len(self.intervals):
                self.intervals.append(Interval())
            self.intervals[number].add(interval)
        self.interval_seconds = other.interval_seconds
        self.began = min(self.began or other.began, other.began)
        self.ended = max(self.ended, other.ended)
        self.now += other.now
        self.receipts += other.receipts
        self.unexpected.update(other.unexpected)
        self.faults.update(other.faults)
        self.resent += other.resent
        self.reopened += other.reopened
        self.unheard += other.unheard
        self.queued += other.queued
        self.not_tried += other.not_tried

    def coarse(self, count_max: int) -> "Iterator[tuple[float, float, Interval]]":
        """At most so many intervals: where each begins, how long it is (s), what is in it."""
        together = max(1, -(-len(self.intervals) // count_max))
        for first in range(0, len(self.intervals), together):
            part = self.intervals[first : first + together]
            whole = Interval()
            for interval in part:
                whole.add(interval)
            seconds = self.interval_seconds
            yield first * seconds, together * seconds, whole
