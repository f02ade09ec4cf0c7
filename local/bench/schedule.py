"""When the visitors of an open loop arrive: at moments fixed beforehand, however slow the service.

Arrivals are spread evenly under a rate that goes up and down in straight lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

RAMP_STEPS = 24


@dataclass(frozen=True)
class Segment:
    """A stretch of time in which the rate goes from `start` to `end`, in arrivals a second."""

    seconds: float
    start: float
    end: float

    @property
    def arrivals(self) -> float:
        return self.seconds * (self.start + self.end) / 2

    def when(self, arrivals: float) -> float:
        """After how many seconds so many have arrived; at most `self.arrivals`."""
        slope = (self.end - self.start) / self.seconds
        if abs(slope) < 1e-9:
            return arrivals / self.start
        # The root of start * t + slope * t^2 / 2 = arrivals, in the form that loses no digits.
        root = sqrt(max(0.0, self.start * self.start + 2 * slope * arrivals))
        return 2 * arrivals / (self.start + root) if arrivals else 0.0


@dataclass(frozen=True)
class Schedule:
    """A rate over time."""

    segments: tuple[Segment, ...]

    @property
    def seconds(self) -> float:
        return sum(segment.seconds for segment in self.segments)

    @property
    def arrivals(self) -> float:
        return sum(segment.arrivals for segment in self.segments)

    @property
    def rate_max(self) -> float:
        return max(max(segment.start, segment.end) for segment in self.segments)

    def times(self, *, first: int = 0, step: int = 1) -> Iterator[float]:
        """Seconds from the beginning of every `step`-th arrival from number `first` on.

        Generator processes share a schedule by taking turns: process k of n begins with k.
        """
        number, before, elapsed = first, 0.0, 0.0
        for segment in self.segments:
            while number < before + segment.arrivals:
                yield elapsed + segment.when(number - before)
                number += step
            before += segment.arrivals
            elapsed += segment.seconds


def steady(rate: float, seconds: float) -> Schedule:
    """The same rate all the time."""
    return Schedule((Segment(seconds, rate, rate),))


def surge(capacity: float, times: float, seconds: float) -> Schedule:
    """From a tenth of the capacity to `times` the capacity and back.

    It rises and falls by the same factor each second, so that a look at the plot finds the time
    just below capacity as wide as the time far above; it stays at the top for a tenth of the time.
    """
    low, top = capacity / 10, capacity * times
    step_seconds = seconds * 0.45 / RAMP_STEPS
    rates = [low * (top / low) ** (number / RAMP_STEPS) for number in range(RAMP_STEPS + 1)]
    rise = [Segment(step_seconds, start, end) for start, end in pairwise(rates)]
    fall = [Segment(step_seconds, part.end, part.start) for part in reversed(rise)]
    return Schedule((*rise, Segment(seconds * 0.1, top, top), *fall))
