"""A report for the terminal: a screenful."""

from textwrap import wrap

from local.bench.figures import SHARES
from local.bench.report import CLEAN, Report
from local.bench.verdict import Judged

COLUMNS = 90


def summary(report: Report) -> str:
    """The figures, what limited them, and what holds."""
    lines = [
        f"{report.scenario}: {report.about}",
        *_throughput(report),
        "",
        *_latencies(report),
        "",
        *_outcomes(report),
        *_costs(report),
        "",
        *wrap(report.loop, COLUMNS),
        *(line for note in report.notes for line in wrap(f"Note: {note}.", COLUMNS)),
        *(f"THE GENERATOR WAS THE BOTTLENECK: {why}." for why in report.bottleneck),
        "",
        *(_threshold(threshold) for threshold in report.thresholds),
        *(f"PROBLEM   {problem}" for problem in report.problems),
        *(["audit     /stats agrees with what was bought"] if report.audit == [] else []),
        "clean" if report.exit_status == CLEAN else "NOT CLEAN",
    ]
    return "\n".join(lines)


def threshold_line(threshold: Judged) -> str:
    """What was wanted and what was measured."""
    if threshold.measured is None:
        return f"{threshold.text}: not measured in this run"
    return f"{threshold.text}: measured {threshold.measured:,.4g}"


def _threshold(threshold: Judged) -> str:
    verdict = "FAILS" if threshold.fails else "holds" if threshold.holds else "skipped"
    return f"{verdict:<10}{threshold_line(threshold)}"


def _throughput(report: Report) -> list[str]:
    found = report.metrics
    pairs, answers = found["pairs"], found["answers"]
    lines = [
        f"{pairs:,.0f} pairs and {answers:,.0f} answers in {report.seconds:.2f} s,",
        f"{found['pairs_per_second']:,.0f} pairs/s, {found['visits_per_second']:,.0f} visits/s,",
        f"{found['requests_per_second']:,.0f} requests/s over {report.connections} connections",
    ]
    if "goodput_kept" in found:
        peak, kept = found["peak_visits_per_second"], found["goodput_kept"]
        lines.append(f"capacity {report.capacity or 0:,.0f} visits/s; goodput peaked at")
        lines.append(
            f"{peak:,.0f} visits/s, and {kept:.0%} of that was kept at the top of the load"
        )
    return lines


def _latencies(report: Report) -> list[str]:
    head = f"{'ms':<12}" + "".join(f"{name:>9}" for name in SHARES) + f"{'count':>10}"
    lines = [head]
    for step, ranks in report.latency_ms.items():
        figures = "".join(f"{ranks[name]:>9.2f}" for name in SHARES)
        lines.append(f"{step:<12}{figures}{report.latency_count[step]:>10,}")
    return lines


def _outcomes(report: Report) -> list[str]:
    lines = []
    for outcome in report.outcomes:
        status = outcome["status"] or "no reply"
        label = f"{outcome['step']} {status} {outcome['error']}"
        lines.append(f"{label:<40}{outcome['count']:>10,}")
    figures = {
        "sent again": report.resent,
        "idle connections opened again": report.reopened,
        "purchases without a known outcome": report.unheard,
    }
    lines += [f"{name:<40}{count:>10,}" for name, count in figures.items() if count]
    lines += [f"  {count} x {fault}" for fault, count in report.faults.items()]
    return lines


def _costs(report: Report) -> list[str]:
    generator, found = report.generator, report.metrics
    lag = f", lag p99 {found['lag_p99']:.1f} ms" if "lag_p99" in found else ""
    used, share = generator["cpu_seconds"], generator["cpu_share"]
    each = f"{generator['us_per_request']:.1f} us a request{lag}"
    lines = ["", f"generator {used:6.2f} s CPU, {share:.0%} of a core, {each}"]
    if report.service is None:
        return [*lines, f"service   not measured: {report.service_why_not}"]
    kind = "PSS" if report.service["memory_is_pss"] else "RSS"
    lines.append(
        f"service   {found['service_cpu'] * report.seconds:6.2f} s CPU,"
        f" {found['service_cpu']:.0%} of a core, at most {found['service_memory']:.0f} MiB {kind}"
    )
    if "gateway_growth" in found:
        lines.append(
            f"growth    {found['service_growth']:+.1f} MiB in all,"
            f" {found['gateway_growth']:+.1f} MiB in the gateway,"
            " from the second fifth of the time to the last"
        )
    return lines
