"""Whether a run was clean, and whether the generator itself was what limited it."""

from dataclasses import dataclass

from local.bench.figures import Metrics
from local.bench.histogram import percentile
from local.bench.run import Run
from local.bench.tally import Tally
from local.bench.threshold import Threshold

BUSY_SHARE = 0.9  # of a core: a generator process this busy measures itself
LAG_MS_MAX = 5.0  # behind schedule, at the 99th percentile
BUSY_SECONDS = 1.0
QUEUED_SHARE = 0.01


@dataclass(frozen=True)
class Judged:
    """A threshold and what came of it; `holds` is None if its metric was not measured."""

    text: str
    measured: float | None
    holds: bool | None
    wanted: bool  # by the user: then it must have been measured

    @property
    def fails(self) -> bool:
        return self.holds is False or (self.holds is None and self.wanted)


def judged(thresholds: list[Threshold], found: Metrics, *, wanted: bool) -> list[Judged]:
    """Holds each against the metrics."""
    return [
        Judged(threshold.text, found.get(threshold.metric), threshold.judge(found), wanted)
        for threshold in thresholds
    ]


def limits(run: Run) -> list[str]:
    """Why the generator, not the service, was the bottleneck; nothing if it was not."""
    tally, processes = run.tally, run.options.processes
    sentences = []
    busiest, busy = busiest_share(tally, processes)
    if busiest >= BUSY_SHARE:
        sentences.append(
            f"it used up to {busiest:.0%} of a core for each of its processes, and {BUSY_SHARE:.0%}"
            f" or more in {busy:.0f} of {tally.seconds:.0f} s"
        )
    late = late_seconds(tally)
    lag = percentile(tally.latencies("lag"), 0.99)
    if lag is not None and lag * 1000 > LAG_MS_MAX:
        sentences.append(
            f"it was behind its schedule by {lag * 1000:.1f} ms at p99, and by more than"
            f" {LAG_MS_MAX:g} ms in {late:.0f} of {tally.seconds:.0f} s"
        )
    return sentences


def queued(run: Run) -> str:
    """A sentence if many arrivals had to wait for a connection; else nothing."""
    tally = run.tally
    arrived = sum(interval.arrived for interval in tally.intervals)
    if not run.schedule or tally.queued <= arrived * QUEUED_SHARE:
        return ""
    return (
        f"{tally.queued / arrived:.0%} of the arrivals found all {run.options.connections}"
        " connections busy and waited; their wait is in the latencies (--connections)"
    )


def busiest_share(tally: Tally, processes: int) -> tuple[float, float]:
    """The most CPU in any second, as a share of a core for each process; and for how long it was
    BUSY_SHARE or more, in seconds. A shorter run counts as a whole."""
    if tally.seconds <= BUSY_SECONDS:
        share = tally.cpu_seconds / tally.seconds / processes
        return share, tally.seconds if share >= BUSY_SHARE else 0.0
    # The last interval may be cut short, and is counted with the ones before it.
    width = max(1, round(BUSY_SECONDS / tally.interval_seconds))
    used = [interval.cpu_seconds for interval in tally.intervals]
    seconds = width * tally.interval_seconds * processes
    shares = [sum(used[at : at + width]) / seconds for at in range(max(1, len(used) - width + 1))]
    return max(shares), sum(share >= BUSY_SHARE for share in shares) * tally.interval_seconds


def late_seconds(tally: Tally) -> float:
    """For how long arrivals were taken up late."""
    late = [percentile(interval.latencies["lag"], 0.99) or 0.0 for interval in tally.intervals]
    return sum(lag * 1000 > LAG_MS_MAX for lag in late) * tally.interval_seconds
