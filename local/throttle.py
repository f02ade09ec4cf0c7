"""A route's throttle: a token bucket, as "Throttle requests to your HTTP APIs" describes it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

# An account's own defaults, which hold where a route says only half.
ACCOUNT_BURST, ACCOUNT_RATE = 5_000, 10_000.0


@dataclass(frozen=True)
class Throttle:
    """At most `burst` requests at once and `rate` a second for long."""

    burst: int
    rate: float


class Bucket:
    """One process's share of a throttle: a token a request, `rate` new ones a second."""

    def __init__(
        self, throttle: Throttle, *, processes: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Of `processes` that serve the same route each takes an equal part. A part that is less
        than one request is one, since nothing would ever pass it."""
        self._rate = throttle.rate / processes
        self._most = float(max(throttle.burst / processes, min(throttle.burst, 1)))
        self._tokens = self._most
        self._clock = clock
        self._seen = clock()

    def take(self) -> bool:
        """Take a token for a request; False if there is none."""
        now = self._clock()
        tokens = self._tokens + (now - self._seen) * self._rate
        if tokens > self._most:
            tokens = self._most
        self._seen = now
        if tokens < 1:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1
        return True
