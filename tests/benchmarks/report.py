"""What a run came to, as text or JSON."""

import json
from dataclasses import asdict, dataclass

from tests.benchmarks.family import FamilyCost
from tests.benchmarks.tally import Tally

BUSY_SHARE = 0.9  # of a core: a generator process this busy measures itself
PERCENTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True)
class Report:
    """A share is of one core: 1.0 is a core kept busy for the whole run."""

    items: int
    connections: int
    processes: int
    seconds: float
    pairs: int
    pairs_per_second: float
    requests: int
    requests_per_second: float
    latency_ms: dict[str, dict[str, float]]
    replies: list[dict[str, str | int]]
    already_sold: int
    resent: int
    given_up: int
    not_tried: int  # items left over when every connection had given up
    lost_connections: dict[str, int]
    unexpected: dict[str, int]
    generator_cpu_seconds: float
    generator_cpu_share: float
    generator_cpu_us_per_request: float
    service: FamilyCost | None
    service_cpu_share: float | None
    audit: list[str] | None  # what disagreed; None if there was no audit

    @classmethod
    def of(
        cls,
        tally: Tally,
        *,
        items: int,
        connections: int,
        processes: int,
        service: FamilyCost | None,
        audit: list[str] | None,
    ) -> "Report":
        """Works the figures out."""
        requests = tally.replies.total()
        settled = tally.pairs + tally.already_sold + tally.unexpected.total() + tally.given_up
        return cls(
            items=items,
            connections=connections,
            processes=processes,
            seconds=tally.seconds,
            pairs=tally.pairs,
            pairs_per_second=tally.pairs / tally.seconds,
            requests=requests,
            requests_per_second=requests / tally.seconds,
            latency_ms={step: _percentiles(found) for step, found in tally.latencies.items()},
            replies=[
                {"step": step, "status": status, "error": error, "count": count}
                for (step, status, error), count in sorted(tally.replies.items())
            ],
            already_sold=tally.already_sold,
            resent=tally.resent,
            given_up=tally.given_up,
            not_tried=max(0, items - settled),
            lost_connections=dict(tally.lost_connections),
            unexpected=dict(tally.unexpected),
            generator_cpu_seconds=tally.cpu_seconds,
            generator_cpu_share=tally.cpu_seconds / tally.seconds,
            generator_cpu_us_per_request=tally.cpu_seconds / max(requests, 1) * 1e6,
            service=service,
            service_cpu_share=service.cpu_seconds / tally.seconds if service else None,
            audit=audit,
        )

    @property
    def clean(self) -> bool:
        """Nothing unexpected, nothing left over, and the audit agrees."""
        faults = self.unexpected, self.lost_connections, self.given_up, self.not_tried, self.audit
        return not any(faults)

    def as_json(self) -> str:
        """One object, the fields of this class and `clean`."""
        return json.dumps({"clean": self.clean, **asdict(self)}, indent=2)

    def as_text(self) -> str:
        """For people."""
        lines = [
            f"{self.pairs} of {self.items} items sold in {self.seconds:.2f} s",
            f"{self.pairs_per_second:,.0f} pairs/s over {self.connections} connections",
            f"{self.requests_per_second:,.0f} requests/s",
            "",
            f"{'ms':<10}" + "".join(f"{name:>9}" for name in PERCENTILES),
        ]
        for step, found in self.latency_ms.items():
            lines.append(f"{step:<10}" + "".join(f"{found[name]:>9.2f}" for name in PERCENTILES))
        lines.append("")
        for reply in self.replies:
            label = f"{reply['step']} {reply['status']} {reply['error']}"
            lines.append(f"{label:<40}{reply['count']:>8}")
        lines += [*self._service_lines(), *self._fault_lines()]
        return "\n".join(lines)

    def _service_lines(self) -> list[str]:
        lines = [""]
        lines.append(
            f"generator  {self.generator_cpu_seconds:6.2f} s CPU, {self.generator_cpu_share:.0%} of"
            f" a core, {self.generator_cpu_us_per_request:.1f} us a request"
        )
        if self.generator_cpu_share > BUSY_SHARE * self.processes:
            lines.append("  THE GENERATOR WAS THE LIMIT: the service may be faster than this")
        cost = self.service
        if cost is None:
            return [*lines, "service    not measured: its processes are not ours to see"]
        name = "constant" if self.audit is None else "service"
        lines.append(
            f"{name:<11}{cost.cpu_seconds:6.2f} s CPU, {self.service_cpu_share:.0%} of a core,"
            f" peak PSS {_mib(cost.pss_bytes_peak)}, peak RSS summed {_mib(cost.rss_bytes_peak)}"
        )
        for name, part in cost.by_name.items():
            lines.append(
                f"  {name:<18}{part.cpu_seconds:6.2f} s CPU, PSS {_mib(part.pss_bytes)}"
                f" in {part.processes}"
            )
        if cost.unreadable:
            lines.append(f"  the memory of {cost.unreadable} processes could not be read")
        return [*lines, f"  under {cost.root}"]

    def _fault_lines(self) -> list[str]:
        figures = {
            "already sold": self.already_sold,
            "sent again": self.resent,
            "GIVEN UP": self.given_up,
            "NOT TRIED": self.not_tried,
        }
        lines = ["", *(f"{name:<40}{count:>8}" for name, count in figures.items() if count)]
        lines += [f"LOST {count}x {fault}" for fault, count in self.lost_connections.items()]
        lines += [f"UNEXPECTED {count}x {what}" for what, count in self.unexpected.items()]
        if self.audit is not None:
            lines += [f"AUDIT {problem}" for problem in self.audit] or ["audit: all agrees"]
        return lines


def _percentiles(seconds: list[float]) -> dict[str, float]:
    """Nearest rank, in milliseconds; zeros if nothing was measured."""
    ranked = sorted(seconds) or [0.0]
    last = len(ranked) - 1
    return {name: ranked[round(share * last)] * 1000 for name, share in PERCENTILES.items()}


def _mib(count: int) -> str:
    return f"{count / 1024 / 1024:.0f} MiB"
