"""What happens, counted for CloudWatch: lines of the log in its embedded metric format.

Requests, latencies and outcomes are not counted here: API Gateway counts the first two, and every
request's own line in the log has all three.
"""

import functools
from collections import defaultdict

import orjson
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from flashsale.config import Settings
from flashsale.logs import later, lines

NAMESPACE = "Flashsale"
_FLUSH_SECONDS = 1.0

_Dimensions = tuple[tuple[str, str], ...]


class Metrics:
    """Sums and levels since the last `flush`, which comes by itself within a second where the event
    loop keeps running, and else at the end of the invocation."""

    def __init__(self) -> None:
        self._noted: dict[_Dimensions, dict[str, float]] = defaultdict(dict)

    def count(self, name: str, number: int = 1, **dimensions: str) -> None:
        """Add to a count. Nothing is noted of a `number` of 0."""
        if number:
            noted = self._of(dimensions)
            noted[name] = noted.get(name, 0) + number

    def level(self, name: str, number: float, **dimensions: str) -> None:
        """Note how high something stands now."""
        self._of(dimensions)[name] = number

    def flush(self) -> None:
        """Write what is noted, a line for each set of dimensions."""
        noted, self._noted = self._noted, defaultdict(dict)
        for dimensions, metrics in noted.items():
            # A fresh one each time: Powertools' usual object is shared by all invocations.
            told = EphemeralMetrics(namespace=NAMESPACE, service=_service_name())
            for name, value in dimensions:
                told.add_dimension(name, value)
            for name, number in metrics.items():
                told.add_metric(name, MetricUnit.Count, number)
            lines().add(orjson.dumps(told.serialize_metric_set()))

    def _of(self, dimensions: dict[str, str]) -> dict[str, float]:
        if not self._noted:
            later(_FLUSH_SECONDS, self.flush)
        return self._noted[tuple(sorted(dimensions.items()))]


@functools.cache
def _service_name() -> str:
    return Settings.read().service_name


@functools.cache
def metrics() -> Metrics:
    return Metrics()
