"""What a run came to: one object for the text, the JSON and the page."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.bench import figures, timeline
from local.bench.run import Run
from local.bench.threshold import STEPS, Threshold
from local.bench.verdict import Judged, judged, limits, queued

CLEAN, FAULTY, NOT_RUN = 0, 1, 2

OPEN = (
    "Open loop: visitors arrive by a schedule, however slow the service is, and each latency counts"
    " from the moment its visit was due, waits for a connection included."
)
CLOSED = (
    "Closed loop: each of {users} users sends one request at a time and waits for its answer, so a"
    " slow service is asked less often, and waits of those who would have come meanwhile are not"
    " seen. Compare runs with the same number of users."
)


@dataclass(frozen=True)
class Report:
    """Milliseconds, MiB, seconds where names say so; a CPU share of 1.0 is one core kept busy."""

    scenario: str
    about: str
    focus: str
    url: str
    began_at: str
    seconds: float
    loop: str
    users: int
    connections: int
    processes: int
    metrics: dict[str, float]
    latency_ms: dict[str, dict[str, float]]
    latency_count: dict[str, int]
    outcomes: list[dict[str, Any]]
    unexpected: dict[str, int]
    faults: dict[str, int]
    notes: list[str]
    bottleneck: list[str]
    generator: dict[str, float]
    thresholds: list[Judged]
    audit: list[str] | None
    receipts: list[str]
    resent: int
    reopened: int
    unheard: int
    capacity: float | None
    timeline: dict[str, list[float | None]]
    kinds: dict[str, list[float | None]]
    distribution: dict[str, list[float]]
    inventory: dict[str, Any]
    service: dict[str, object] | None
    service_why_not: str
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, run: Run, thresholds: list[Threshold], *, own: list[Threshold]) -> "Report":
        """`own` are the scenario's, `thresholds` those that the user wanted."""
        tally, options = run.tally, run.options
        found = figures.metrics(run)
        judgements = judged(own, found, wanted=False) + judged(thresholds, found, wanted=True)
        latencies = {step: tally.latencies(step) for step in (*STEPS, "arrival")}
        # An arrival that found no connection was never a request.
        requests = sum(count for kind, count in tally.outcomes().items() if kind[0] != "arrival")
        waited = queued(run)
        base = options.address
        return cls(
            scenario=options.scenario.name,
            about=options.scenario.about,
            focus=options.scenario.focus,
            url=f"{'https' if base.tls else 'http'}://{base.authority}{base.base}",
            began_at=datetime.fromtimestamp(run.began_at, UTC).isoformat(timespec="seconds"),
            seconds=round(tally.seconds, 3),
            loop=OPEN if run.schedule else CLOSED.format(users=options.users),
            users=0 if run.schedule else options.users,
            connections=options.connections if run.schedule else options.users,
            processes=options.processes,
            metrics=found,
            latency_ms={step: figures.milliseconds(has) for step, has in latencies.items() if has},
            latency_count={step: sum(has.values()) for step, has in latencies.items() if has},
            outcomes=[
                {"step": step, "status": status, "error": error, "count": count}
                for (step, status, error), count in sorted(tally.outcomes().items())
            ],
            unexpected=dict(tally.unexpected),
            faults=dict(tally.faults),
            notes=run.notes + ([waited] if waited else []),
            bottleneck=limits(run),
            generator={
                "cpu_seconds": tally.cpu_seconds,
                "cpu_share": tally.cpu_seconds / tally.seconds,
                "us_per_request": tally.cpu_seconds / max(requests, 1) * 1e6,
            },
            thresholds=judgements,
            audit=run.audit,
            receipts=run.receipts,
            resent=tally.resent,
            reopened=tally.reopened,
            unheard=tally.unheard,
            capacity=run.capacity,
            timeline=timeline.timeline(tally),
            kinds=timeline.kinds(tally),
            distribution=timeline.distribution(tally),
            inventory={
                "seconds": [round(moment, 2) for moment in run.stock.seconds],
                "left": run.stock.left,
                "requests": run.stock.requests,
                "failed": run.stock.failed,
            },
            service=timeline.process_courses(run.courses) if run.courses else None,
            service_why_not=run.unwatched,
            problems=_problems(run),
        )

    @property
    def exit_status(self) -> int:
        """0 if nothing happened that nobody should get, and all thresholds hold; else 1."""
        failed = any(threshold.fails for threshold in self.thresholds)
        return FAULTY if failed or self.problems else CLEAN

    def as_json(self) -> str:
        """One object: the fields of this class, `clean` and `exit_status`."""
        told = {"clean": self.exit_status == CLEAN, "exit_status": self.exit_status}
        return json.dumps({**told, **asdict(self)}, indent=1)


def _problems(run: Run) -> list[str]:
    """What nobody should get, whatever the thresholds."""
    unexpected: Counter[str] = run.tally.unexpected
    return [
        *(f"{count} x unexpected: {what}" for what, count in unexpected.items()),
        *run.receipts,
        *(run.audit or []),
    ]
