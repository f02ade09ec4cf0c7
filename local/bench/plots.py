"""The plots of a report: what each shows, in words and in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.bench.report import Report

Values = Sequence[float | None]

# Which plots come first. All others follow in their usual order.
FIRST = {
    "throughput": ("throughput", "latency"),
    "latency": ("latency", "distribution", "throughput"),
    "resources": ("memory", "cpu", "throughput"),
    "goodput": ("throughput", "latency"),
}


@dataclass(frozen=True)
class Plot:
    """Lines over `x`, or bars if `bars`: then `x` holds the upper end of each bar.

    Without series there is nothing to draw, and `summary` says why.
    """

    name: str
    title: str
    summary: str  # for those who can't see the picture
    x_label: str
    unit: str
    x: Values
    series: Mapping[str, Values]
    bars: bool = False
    logarithmic: bool = False


def plots(report: Report) -> list[Plot]:
    """All of them, in the order that suits the scenario."""
    made = [
        _throughput(report),
        _latency(report),
        _distribution(report),
        _inventory(report),
        _cpu(report),
        _memory(report),
        _refusals(report),
        _generator(report),
    ]
    first = FIRST[report.focus]
    rank = {name: number for number, name in enumerate(first)}
    return sorted(made, key=lambda plot: rank.get(plot.name, len(rank)))


def _throughput(report: Report) -> Plot:
    found, line = report.metrics, report.timeline
    series = {"goodput (visits)": line.get("goodput", [])}
    if report.users == 0:
        series = {"offered (visits)": line.get("offered", []), **series}
    series["pairs sold"] = line.get("pairs", [])
    kept = (
        f" At the top of the load {found['goodput_kept']:.0%} of the peak was kept."
        if "goodput_kept" in found
        else ""
    )
    return Plot(
        "throughput",
        "Throughput",
        f"{found['visits_per_second']:,.0f} visits with a final answer a second on average,"
        f" {found['peak_visits_per_second']:,.0f} at the peak;"
        f" {found['pairs_per_second']:,.0f} pairs a second were sold.{kept}",
        "seconds",
        "per second",
        line.get("seconds", []),
        series,
    )


def _latency(report: Report) -> Plot:
    found, line = report.metrics, report.timeline
    figures = ", ".join(
        f"{name} {found[name]:,.1f} ms" for name in ("p50", "p90", "p99", "max") if name in found
    )
    return Plot(
        "latency",
        "Latency over time",
        f"Of all requests: {figures or 'none was answered'}. The scale is logarithmic.",
        "seconds",
        "ms",
        line.get("seconds", []),
        {name: line.get(name, []) for name in ("p50", "p90", "p99")},
        logarithmic=True,
    )


def _distribution(report: Report) -> Plot:
    bars = report.distribution
    total = sum(bars["requests"])
    most, ends = max(zip(bars["requests"], bars["ms"], strict=True), default=(0.0, 0.0))
    shown = f"{ends:,.{0 if ends >= 100 else 2}f}"
    return Plot(
        "distribution",
        "Latency distribution",
        f"How many requests took how long, {total:,.0f} in all; the fullest bar ends at {shown} ms"
        f" and has {most:,.0f}. Each bar is 22% wider than the one before.",
        "ms, up to",
        "requests",
        bars["ms"],
        {"requests": bars["requests"]},
        bars=True,
    )


def _inventory(report: Report) -> Plot:
    left = report.inventory["left"]
    told = f"from {left[0]:,} to {left[-1]:,} items" if left else "never answered"
    failed = report.inventory["failed"]
    missed = f", {failed} of them without an answer" if failed else ""
    return Plot(
        "inventory",
        "Inventory over time",
        f"GET /stats, about once a second: {told}. These {report.inventory['requests']} requests"
        f"{missed} are not in the other figures.",
        "seconds",
        "items left",
        report.inventory["seconds"],
        {"items left": left} if left else {},
    )


def _cpu(report: Report) -> Plot:
    service = report.service
    if service is None:
        return _unwatched(report, "cpu", "CPU of the service's processes", "cores")
    return Plot(
        "cpu",
        "CPU of the service's processes",
        f"{report.metrics['service_cpu']:.2f} cores on average, under: {service['root']}.",
        "seconds",
        "cores",
        service["seconds"],  # type: ignore[arg-type]  # as process_courses made it
        service["cpu"],  # type: ignore[arg-type]
    )


def _memory(report: Report) -> Plot:
    service = report.service
    if service is None:
        return _unwatched(report, "memory", "Memory of the service's processes", "MiB")
    found = report.metrics
    kind = "PSS, shared pages shared out" if service["memory_is_pss"] else "RSS"
    growth = (
        f" It changed by {found['service_growth']:+.1f} MiB from the second fifth of the time to"
        " the last."
        if "service_growth" in found
        else ""
    )
    unread = service["unreadable"]
    hidden = f" The memory of {unread} processes could not be read." if unread else ""
    return Plot(
        "memory",
        "Memory of the service's processes",
        f"At most {found['service_memory']:,.0f} MiB in all ({kind}).{growth}{hidden}",
        "seconds",
        "MiB",
        service["seconds"],  # type: ignore[arg-type]
        service["memory_mib"],  # type: ignore[arg-type]
    )


def _unwatched(report: Report, name: str, title: str, unit: str) -> Plot:
    return Plot(name, title, f"Not measured: {report.service_why_not}.", "seconds", unit, [], {})


def _refusals(report: Report) -> Plot:
    found = report.metrics
    return Plot(
        "refusals",
        "Refusals and errors by kind",
        f"{found['refused']:,.0f} final refusals (sold out, expired), {found['turned_away']:,.0f}"
        f" turned away (503 or 429: try again), {found['errors']:,.0f} errors.",
        "seconds",
        "per second",
        report.timeline.get("seconds", []),
        report.kinds,
    )


def _generator(report: Report) -> Plot:
    line = report.timeline
    lag = report.metrics.get("lag_p99")
    behind = (
        f"; it was behind its schedule by {lag:.1f} ms at p99"
        if lag is not None
        else "; in a closed loop it has no schedule to be behind of"
    )
    series = {"CPU, % of a core": [100 * (share or 0.0) for share in line.get("generator_cpu", [])]}
    if lag is not None:
        series["lag p99, ms"] = line.get("lag_p99", [])  # type: ignore[assignment]
    return Plot(
        "generator",
        "The generator itself",
        f"{report.generator['cpu_share']:.0%} of a core on average in {report.processes}"
        f" {'process' if report.processes == 1 else 'processes'},"
        f" {report.generator['us_per_request']:.1f} us a request{behind}.",
        "seconds",
        "% of a core, ms",
        line.get("seconds", []),
        series,
    )
