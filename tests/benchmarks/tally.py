"""What one generator process counted and measured."""

from collections import Counter
from dataclasses import dataclass, field

from tests.benchmarks.response import Reply

UNEXPECTED_KINDS_MAX = 10


@dataclass
class Tally:
    """Latencies in seconds, times as perf_counter (one clock for all processes of a machine)."""

    # One latency per accepted request; a pair's runs from its first byte sent, waits included.
    latencies: dict[str, list[float]] = field(
        default_factory=lambda: {"checkout": [], "purchase": [], "pair": []}
    )
    replies: Counter[tuple[str, int, str]] = field(default_factory=Counter)  # step, status, error
    receipts: list[bytes] = field(default_factory=list)  # bodies of accepted purchases, unread
    unexpected: Counter[str] = field(default_factory=Counter)
    lost_connections: Counter[str] = field(default_factory=Counter)
    already_sold: int = 0
    resent: int = 0
    given_up: int = 0
    began: float = 0.0
    ended: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def pairs(self) -> int:
        """Items sold: pairs whose purchase was answered 200."""
        return len(self.latencies["pair"])

    @property
    def seconds(self) -> float:
        """From the first request to the last reply."""
        return self.ended - self.began

    def blame(self, step: str, reply: Reply) -> None:
        """Counts a reply that a healthy service would not have given."""
        what = f"{step}: {reply.status} {reply.body[:120].decode(errors='replace')}"
        if what not in self.unexpected and len(self.unexpected) >= UNEXPECTED_KINDS_MAX:
            what = "others"
        self.unexpected[what] += 1

    def add(self, other: "Tally") -> None:
        """Takes in what another process measured of the same sale."""
        for step, seconds in other.latencies.items():
            self.latencies[step] += seconds
        self.replies += other.replies
        self.receipts += other.receipts
        self.unexpected += other.unexpected
        self.lost_connections += other.lost_connections
        self.already_sold += other.already_sold
        self.resent += other.resent
        self.given_up += other.given_up
        self.began = min(self.began or other.began, other.began)
        self.ended = max(self.ended, other.ended)
        self.cpu_seconds += other.cpu_seconds
