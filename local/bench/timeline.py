"""A run over time, and by latency and kind: what the plots draw."""

from collections import Counter

from local.bench.family import Courses
from local.bench.figures import REQUESTS, milliseconds, of_requests
from local.bench.histogram import PER_E, count_of, merged, percentile, seconds_of
from local.bench.tally import FINAL, Outcome, Tally

POINTS_MAX = 300
KINDS_MAX = 8  # as many as one plot can show apart; the table of replies has all
BARS_PER_FACTOR_OF_E = 5  # of the distribution's plot: each bar is 22% wider than the one before


def timeline(tally: Tally) -> dict[str, list[float | None]]:
    """Rates a second and latencies in ms, at the middle of each interval."""
    rows: list[dict[str, float | None]] = []
    for begins, seconds, interval in tally.coarse(POINTS_MAX):
        ranks = milliseconds(merged(interval.latencies[step] for step in REQUESTS))
        refused = sum(interval.outcomes[kind] for kind in interval.outcomes if kind[1:] in FINAL)
        lag = percentile(interval.latencies["lag"], 0.99)
        rows.append(
            {
                "seconds": begins + seconds / 2,
                "offered": interval.arrived / seconds,
                "goodput": interval.good / seconds,
                "pairs": count_of(interval.latencies["pair"]) / seconds,
                "refused": refused / seconds,
                "turned_away": interval.turned_away / seconds,
                "errors": interval.errors / seconds,
                **{name: ranks.get(name) for name in ("p50", "p90", "p99")},
                "lag_p99": lag * 1000 if lag is not None else None,
                "generator_cpu": interval.cpu_seconds / seconds,
            }
        )
    names = rows[0] if rows else ()
    return {name: [_short(row[name]) for row in rows] for name in names}


def kinds(tally: Tally) -> dict[str, list[float | None]]:
    """Refusals and errors by kind, a second, at the middle of each interval of the timeline."""
    totals: Counter[str] = Counter()
    for outcome, count in tally.outcomes().items():
        if label := _kind(outcome):
            totals[label] += count
    course: dict[str, list[float | None]] = {
        label: [] for label, _ in totals.most_common(KINDS_MAX)
    }
    for _, seconds, interval in tally.coarse(POINTS_MAX):
        found: Counter[str] = Counter()
        for outcome, count in interval.outcomes.items():
            found[_kind(outcome)] += count
        for label, rates in course.items():
            rates.append(round(found[label] / seconds, 4))
    return course


def distribution(tally: Tally) -> dict[str, list[float]]:
    """How many requests took how long: the upper ends of bars in ms, and a count for each."""
    bars: dict[int, int] = {}
    found = of_requests(tally)
    if not found:
        return {"ms": [], "requests": []}
    width = PER_E // BARS_PER_FACTOR_OF_E
    for bucket, count in found.items():
        bars[bucket // width] = bars.get(bucket // width, 0) + count
    span = range(min(bars), max(bars) + 1)
    return {
        "ms": [round(seconds_of((bar + 1) * width) * 1000, 4) for bar in span],
        "requests": [float(bars.get(bar, 0)) for bar in span],
    }


def process_courses(courses: Courses) -> dict[str, object]:
    """CPU in shares of a core and memory in MiB of each process or program, sample by sample."""
    seconds = courses.seconds
    cpu: dict[str, list[float | None]] = {}
    memory: dict[str, list[float]] = {}
    for name, course in courses.by_name.items():
        used = course.cpu_seconds
        label = f"{name} ({course.processes})" if course.processes > 1 else name
        shares = (
            (used[at] - used[at - 1]) / max(seconds[at] - seconds[at - 1], 1e-9)
            for at in range(1, len(seconds))
        )
        cpu[label] = [None, *(_short(share) for share in shares)]
        memory[label] = [round(value, 2) for value in course.memory_mib]
    return {
        "seconds": [round(moment, 3) for moment in seconds],
        "cpu": cpu,
        "memory_mib": memory,
        "memory_is_pss": courses.memory_is_pss,
        "unreadable": courses.unreadable,
        "root": courses.root,
    }


def _kind(outcome: Outcome) -> str:
    """`503 overloaded`, `timeout`; nothing for what was granted."""
    _, status, word = outcome
    return f"{status or ''} {word}".strip() if status not in (200, 201) or word else ""


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
