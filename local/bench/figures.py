"""The numbers of a run: percentiles, rates and costs, by the names that thresholds use."""

from math import ceil
from statistics import median

from local.bench.family import Courses
from local.bench.histogram import Histogram, merged, percentile
from local.bench.run import Run
from local.bench.tally import FINAL, Tally
from local.bench.threshold import STEPS

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
# All that have a latency of their own: a pair's is that of two, an arrival never got to ask.
REQUESTS = ("checkout", "purchase", "stats", "page", "item", "arrival")
SMOOTHED = 5  # intervals that a peak must last, so that a single lucky one is none
GROWTH_SAMPLES_MIN = 20

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
    return merged(tally.latencies(step) for step in REQUESTS)


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
