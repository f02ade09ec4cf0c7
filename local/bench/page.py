"""The report as one HTML file that needs nothing from anywhere: plots, tables, all data inside."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from html import escape
from importlib.resources import files
from string import Template

from local.bench.figures import SHARES
from local.bench.plots import Plot, plots
from local.bench.report import CLEAN, Report
from local.bench.text import threshold_line

TABLE_ROWS_MAX = 25


def page(report: Report) -> str:
    """The whole file."""
    made = plots(report)
    return Template(_asset("page.html")).substitute(
        title=escape(f"Flashsale: {report.scenario}"),
        style=_asset("uPlot.min.css") + _asset("page.css"),
        heading=escape(report.scenario),
        about=escape(report.about),
        verdict=_verdict(report),
        tiles=_tiles(report),
        details=_details(report),
        plots="\n".join(_figure(plot) for plot in made),
        latencies=_latencies(report),
        replies=_replies(report),
        library=f"/*\n{_asset('uPlot.LICENSE')}*/\n{_asset('uPlot.iife.min.js')}",
        data=_script_json({"plots": [asdict(plot) for plot in made]}),
        report=_script_json(json.loads(report.as_json())),
        script=_asset("page.js"),
    )


def _asset(name: str) -> str:
    return files("local.bench").joinpath("assets", name).read_text(encoding="utf-8")


def _script_json(value: object) -> str:
    """JSON that no text in it can end the script element of."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _verdict(report: Report) -> str:
    clean = report.exit_status == CLEAN
    lines = [f'<p class="{"good" if clean else "bad"}">{"Clean" if clean else "Not clean"}</p>']
    lines += [
        f'<p class="bad">The generator was the bottleneck: {escape(why)}. The service may be better'
        " than these figures.</p>"
        for why in report.bottleneck
    ]
    rows = [(_word(threshold.holds), threshold_line(threshold)) for threshold in report.thresholds]
    rows += [("problem", problem) for problem in report.problems]
    if report.audit == []:
        rows.append(("holds", "audit: /stats agrees with what was bought"))
    if rows:
        lines.append(_table("Thresholds", ("", "wanted and measured"), rows))
    return "\n".join(lines)


def _word(holds: bool | None) -> str:
    return "skipped" if holds is None else "holds" if holds else "fails"


def _tiles(report: Report) -> str:
    found = report.metrics
    tiles = {
        "pairs/s": f"{found['pairs_per_second']:,.0f}",
        "visits/s": f"{found['visits_per_second']:,.0f}",
        "requests/s": f"{found['requests_per_second']:,.0f}",
        "p50": _length(found.get("p50")),
        "p99": _length(found.get("p99")),
        "errors": f"{found['errors']:,.0f}",
        "turned away": f"{found['turned_away']:,.0f}",
    }
    if "goodput_kept" in found:
        tiles["goodput kept"] = f"{found['goodput_kept']:.0%}"
    if "service_memory" in found:
        tiles["service CPU"] = f"{found['service_cpu']:.0%}"
        tiles["service memory"] = f"{found['service_memory']:,.0f} MiB"
    return "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in tiles.items()
    )


def _details(report: Report) -> str:
    sentences = [report.loop, *(f"{note}." for note in report.notes)]
    if report.unheard:
        sentences.append(f"{report.unheard} purchases without a known outcome.")
    rows = [
        ("service", report.url),
        ("began", report.began_at),
        ("length", f"{report.seconds:,.2f} s"),
        ("connections", f"{report.connections:,}"),
        ("generator processes", str(report.processes)),
    ]
    return "".join(f"<p>{escape(text[0].upper() + text[1:])}</p>" for text in sentences) + _table(
        "Run", ("", ""), rows
    )


def _figure(plot: Plot) -> str:
    summary = escape(plot.summary)
    if not plot.series or not plot.x:
        return f"<figure><h2>{escape(plot.title)}</h2><figcaption>{summary}</figcaption></figure>"
    rows = [
        (_number(at), *(_number(values[place]) for values in plot.series.values()))
        for place, at in _some(plot.x)
    ]
    head = (plot.x_label, *plot.series)
    return (
        f"<figure><h2>{escape(plot.title)}</h2><figcaption>{summary}</figcaption>"
        f'<div class="plot" id="{plot.name}" role="img" aria-label="{summary}"></div>'
        f"<details><summary>As a table ({escape(plot.unit)})</summary>"
        f"{_table(plot.title, head, rows)}</details></figure>"
    )


def _some(values: Iterable[float | None]) -> list[tuple[int, float | None]]:
    """Places and values, as many as a table can hold, the last one among them."""
    every = list(enumerate(values))
    step = -(-len(every) // TABLE_ROWS_MAX)
    some = every[::step]
    return some if some[-1] == every[-1] else [*some, every[-1]]


def _latencies(report: Report) -> str:
    rows = [
        (step, *(_number(ranks[name]) for name in SHARES), f"{report.latency_count[step]:,}")
        for step, ranks in report.latency_ms.items()
    ]
    return _table("Latencies in ms", ("", *SHARES, "count"), rows)


def _replies(report: Report) -> str:
    rows = [
        (found["step"], str(found["status"] or "no reply"), found["error"], f"{found['count']:,}")
        for found in report.outcomes
    ]
    faults = [("", "", fault, f"{count:,}") for fault, count in report.faults.items()]
    return _table("Replies by kind", ("request", "status", "error", "count"), rows + faults)


def _table(caption: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="wide" tabindex="0"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _length(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "none"
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:,.2f} s"
    return f"{milliseconds:,.1f} ms"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"
