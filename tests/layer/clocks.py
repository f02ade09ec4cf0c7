"""Redis's clock and the service's, which stand where a test sets them.

libfaketime reads Valkey's from a file. Valkey asks it some hundred times a second and counts on by
itself meanwhile, so that its clock ticks a few ms to and fro: tests keep half a second off an edge.
"""

import datetime
import time
from pathlib import Path

import redis

JUST = 0.5  # before an edge; Valkey's clock goes astray by less than NEARLY
NEARLY = 0.3


class Clocks:
    """Both clocks. `service` is the service's own, in Unix seconds."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.service = 0.0
        self.client: redis.Redis | None = None

    def set(self, at: float, *, skew: float = 0) -> None:
        """Set Redis's clock, and the service's `skew` seconds ahead of it."""
        self.service = at + skew
        moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
        new = self.file.with_suffix(".new")
        new.write_text(f"{moment:%Y-%m-%d %H:%M:%S.%f}000\n")
        new.replace(self.file)
        deadline = time.monotonic() + 10
        while self.client and not at <= self.redis() < at + NEARLY:
            assert time.monotonic() < deadline, f"Valkey's clock is {self.redis()}, not {at}"

    def redis(self) -> float:
        assert self.client
        seconds, microseconds = self.client.time()
        return float(seconds + microseconds / 1_000_000)
