"""How often something took how long: a count for each 1% of length, exact to half of that.

As HdrHistogram does it: recording costs a logarithm, and a day of measurements takes no more memory
than a minute's.
"""

from collections import defaultdict
from collections.abc import Iterable
from math import ceil, exp, log

PER_E = 100  # buckets for each factor of e, so neighbours differ by 1%
UNIT_SECONDS = 1e-6  # whatever is shorter counts as this

Histogram = defaultdict[int, int]  # bucket -> count


def histogram() -> Histogram:
    """An empty one; `found[bucket_of(seconds)] += 1` records."""
    return defaultdict(int)


def bucket_of(seconds: float) -> int:
    """Which bucket a time belongs to."""
    return int(log(seconds / UNIT_SECONDS) * PER_E) if seconds > UNIT_SECONDS else 0


def seconds_of(bucket: int) -> float:
    """The middle of a bucket, by logarithm."""
    return UNIT_SECONDS * exp((bucket + 0.5) / PER_E)


def count_of(found: Histogram) -> int:
    """How many were recorded."""
    return sum(found.values())


def merged(many: Iterable[Histogram]) -> Histogram:
    """All recordings in one."""
    total = histogram()
    for found in many:
        for bucket, count in found.items():
            total[bucket] += count
    return total


def percentile(found: Histogram, share: float) -> float | None:
    """Nearest rank, in seconds: `share` of all recordings are at most this. None if there are none.

    `share` 1.0 is the longest.
    """
    left = max(1, ceil(share * count_of(found)))
    for bucket in sorted(found):
        left -= found[bucket]
        if left <= 0:
            return seconds_of(bucket)
    return None
