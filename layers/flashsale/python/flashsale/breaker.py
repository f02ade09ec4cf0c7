"""A circuit breaker: stop asking a store that fails, and look now and then whether it is back."""

import time
from collections.abc import Callable

from flashsale.errors import StoreDown
from flashsale.metrics import metrics


class Breaker:
    """Opens after `failures_max` failures in a row; then lets one call try every `open_seconds`.

    States: closed (calls pass), open (calls are refused at once), half-open (one call tries, and
    its outcome closes or reopens). After Nygard, "Release It!".
    """

    def __init__(
        self,
        store: str,
        *,
        failures_max: int = 3,
        open_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._failures_max = failures_max
        self._open_seconds = open_seconds
        self._clock = clock
        self._failures = 0
        self._retry_at = 0.0

    @property
    def state(self) -> str:
        """closed, open or half-open."""
        if self._failures < self._failures_max:
            return "closed"
        return "open" if self._clock() < self._retry_at else "half-open"

    def check(self) -> None:
        """Let a call pass, or refuse it.

        Raises:
            StoreDown: the store has been failing, and somebody else is trying it, or soon will.
        """
        state = self.state
        if state == "open":
            raise StoreDown(f"{self._store} has been failing: not asked")
        if state == "half-open":
            self._retry_at = self._clock() + self._open_seconds  # this one call tries

    def succeeded(self) -> None:
        if self._failures == self._failures_max:
            self._tell(0)
        self._failures = 0

    def failed(self) -> None:
        self._failures = min(self._failures + 1, self._failures_max)
        if self._failures == self._failures_max:
            self._retry_at = self._clock() + self._open_seconds
            self._tell(1)

    def _tell(self, is_open: int) -> None:
        metrics().level("BreakerOpen", is_open, store=self._store)
