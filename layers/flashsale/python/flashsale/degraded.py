"""Answers that PostgreSQL gives in Redis's place: right, slower, and so only so many at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from flashsale.errors import Overloaded
from flashsale.metrics import metrics

_marked: ContextVar[list[bool] | None] = ContextVar("degraded", default=None)


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
        mark()
        try:
            yield
        finally:
            self._now -= 1


@contextmanager
def watched() -> Iterator[list[bool]]:
    """Learn of one invocation whether its answer was degraded: the list is not empty then."""
    marks: list[bool] = []
    token = _marked.set(marks)
    try:
        yield marks
    finally:
        _marked.reset(token)


def mark() -> None:
    """Note that the running invocation is answered without Redis."""
    marks = _marked.get()
    if marks is not None:
        marks.append(True)
