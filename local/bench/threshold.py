"""What a run must have reached, as the user writes it: `p99<100ms`, `errors==0`."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

SHAPE = re.compile(r"\s*([a-z_][a-z_0-9.]*)\s*(<=|>=|==|!=|<|>)\s*([0-9.]+)\s*([A-Za-z%]*)\s*")
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
# What a unit means, in that of the metrics: milliseconds, MiB, shares of 1, plain counts.
UNITS: dict[str, dict[str, float]] = {
    "ms": {"": 1, "us": 0.001, "ms": 1, "s": 1000},
    "MiB": {"": 1, "MiB": 1, "GiB": 1024},
    "share": {"": 1, "%": 0.01},
    "count": {"": 1},
}
PERCENTILES = ("p50", "p90", "p99", "p999", "max")
STEPS = ("checkout", "purchase", "pair", "stats", "page", "item")
KINDS: dict[str, str] = {
    **dict.fromkeys(PERCENTILES, "ms"),
    **{f"{step}.{name}": "ms" for step in STEPS for name in PERCENTILES},
    "lag_p99": "ms",
    **dict.fromkeys(("service_memory", "gateway_growth", "service_growth"), "MiB"),
    **dict.fromkeys(("goodput_kept", "service_cpu", "generator_cpu"), "share"),
    **dict.fromkeys(
        (
            "pairs",
            "answers",
            "pairs_per_second",
            "visits_per_second",
            "requests_per_second",
            "peak_visits_per_second",
            "errors",
            "unexpected",
            "turned_away",
            "refused",
            "not_bought",
        ),
        "count",
    ),
}


@dataclass(frozen=True)
class Threshold:
    """A metric's name, a comparison, and a value in the metric's own unit."""

    text: str
    metric: str
    sign: str
    value: float

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """Raises ValueError with a sentence for the user."""
        found = SHAPE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not like 'p99<100ms' or 'errors==0'")
        metric, sign, number, unit = found.groups()
        if metric not in KINDS:
            raise ValueError(f"there is no metric {metric!r}: {', '.join(KINDS)}")
        units = UNITS[KINDS[metric]]
        if unit not in units:
            known = ", ".join(name for name in units if name) or "none"
            raise ValueError(f"{text!r}: the unit of {metric} may be {known}")
        try:
            value = float(number) * units[unit]
        except ValueError:
            raise ValueError(f"{text!r}: {number!r} is not a number") from None
        return cls(text.strip(), metric, sign, value)

    def judge(self, metrics: Mapping[str, float]) -> bool | None:
        """Whether it holds; None if its metric was not measured."""
        found = metrics.get(self.metric)
        return None if found is None else COMPARE[self.sign](found, self.value)
