"""Answers that PostgreSQL gives in Redis's place: right, slower, and so only so many at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from flashsale.errors import Overloaded
from flashsale.invocation import mark_degraded
from flashsale.metrics import metrics


class Degraded:
    """Counts and bounds the calls that do without Redis."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now = 0
        self.total = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Answer one call without Redis.

        Raises:
            Overloaded: too many do so already.
        """
        if self._now >= self._most:
            raise Overloaded
        self._now += 1
        self.total += 1
        metrics().count("DegradedAnswers")
        mark_degraded()
        try:
            yield
        finally:
            self._now -= 1
