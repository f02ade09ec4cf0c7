"""The numbers of a run: metrics for thresholds, courses over time for plots."""

from math import ceil
from statistics import median

from local.bench.family import Courses
from local.bench.histogram import (
    PER_E,
    Histogram,
    count_of,
    merged,
    percentile,
    seconds_of,
)
from local.bench.run import Run
from local.bench.tally import FINAL, Tally
from local.bench.threshold import STEPS

POINTS_MAX = 300
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
SMOOTHED = 5  # intervals that a peak must last, so that a single lucky one is none
GROWTH_SAMPLES_MIN = 20
BARS_PER_FACTOR_OF_E = 5  # of the distribution's plot: each bar is 22% wider than the one before

Metrics = dict[str, float]


def milliseconds(found: Histogram) -> Metrics:
    """Percentiles by name; empty if nothing was recorded."""
    ranks = {name: percentile(found, share) for name, share in SHARES.items()}
    return {name: round(rank * 1000, 3) for name, rank in ranks.items() if rank is not None}


def metrics(run: Run) -> Metrics:
    """Everything that a threshold can name, in the units of `threshold.KINDS`."""
    tally, found = run.tally, Metrics()
    for step in STEPS:
        ranks = milliseconds(tally.latencies(step))
        found |= {f"{step}.{name}": value for name, value in ranks.items()}
    found |= milliseconds(of_requests(tally))
    lag = percentile(tally.latencies("lag"), 0.99)
    if lag is not None:
        found["lag_p99"] = lag * 1000
    outcomes = tally.outcomes()
    rates = smoothed(tally, run.options.seconds)
    found |= {
        "pairs": tally.now.pairs,
        "answers": tally.now.answers,
        "pairs_per_second": tally.now.pairs / tally.seconds,
        "visits_per_second": tally.now.good / tally.seconds,
        "requests_per_second": tally.now.answers / tally.seconds,
        "peak_visits_per_second": max(rates, default=0.0),
        "errors": tally.now.errors,
        "unexpected": tally.unexpected.total(),
        "turned_away": tally.now.turned_away,
        "refused": sum(outcomes[kind] for kind in outcomes if kind[1:] in FINAL),
        "generator_cpu": tally.cpu_seconds / tally.seconds / run.options.processes,
    }
    if run.items:
        found["not_bought"] = run.items - tally.now.pairs - sold_before(tally)
    if run.options.scenario.focus == "goodput" and (peak := max(rates, default=0.0)):
        found["goodput_kept"] = min(1.0, at_the_top(tally, run.options.seconds) / peak)
    if run.courses:
        found |= _costs(run.courses, tally.seconds)
    return found


def sold_before(tally: Tally) -> int:
    """Of a set of items, how many somebody else had bought."""
    outcomes = tally.outcomes()
    return sum(count for (_, _, word), count in outcomes.items() if word == "sold_out")


def of_requests(tally: Tally) -> Histogram:
    """All requests, whatever they asked for; and arrivals that never got to ask."""
    steps = ("checkout", "purchase", "stats", "page", "item", "arrival")
    return merged(tally.latencies(step) for step in steps)


def smoothed(tally: Tally, seconds: float) -> list[float]:
    """Goodput in visits a second, as a moving average over a few intervals.

    Of the time in which visits begin: what is answered later shows no load.
    """
    within = max(1, ceil(seconds / tally.interval_seconds))
    good = [interval.good for interval in tally.intervals[:within]]
    width = min(SMOOTHED, len(good))
    if not width:
        return []
    windows = range(len(good) - width + 1)
    return [sum(good[at : at + width]) / (width * tally.interval_seconds) for at in windows]


def at_the_top(tally: Tally, seconds: float) -> float:
    """Goodput while a surge is at its top, the middle tenth of the time; visits a second.

    Over no fewer intervals than a peak: it is to be compared with one.
    """
    width = max(SMOOTHED, round(seconds / 10 / tally.interval_seconds))
    first = max(0, round(seconds / 2 / tally.interval_seconds - width / 2))
    part = tally.intervals[first : first + width]
    return sum(interval.good for interval in part) / (width * tally.interval_seconds)


def timeline(tally: Tally) -> dict[str, list[float | None]]:
    """Rates a second and latencies in ms, at the middle of each interval."""
    rows: list[dict[str, float | None]] = []
    for begins, seconds, interval in tally.coarse(POINTS_MAX):
        steps = ("checkout", "purchase", "stats", "page", "item", "arrival")
        ranks = milliseconds(merged(interval.latencies[step] for step in steps))
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


def _costs(courses: Courses, seconds: float) -> Metrics:
    every = courses.by_name.values()
    totals = [sum(values) for values in zip(*(course.memory_mib for course in every), strict=True)]
    found = {
        "service_cpu": sum(course.cpu_seconds[-1] for course in every) / seconds,
        "service_memory": max(totals, default=0.0),
    }
    if len(courses.seconds) >= GROWTH_SAMPLES_MIN:
        gateway = [
            course.memory_mib
            for name, course in courses.by_name.items()
            if name.startswith("gateway")
        ]
        found["service_growth"] = growth(totals)
        if gateway:
            found["gateway_growth"] = sum(growth(values) for values in gateway)
    return found


def growth(values: list[float]) -> float:
    """From the second fifth of the time, when all is warm, to the last; by their medians."""
    fifth = max(1, len(values) // 5)
    return median(values[-fifth:]) - median(values[fifth : 2 * fifth])


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
