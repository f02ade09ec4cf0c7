"""The HTML report: whole without anything from outside, and drawn by a real browser."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from local.bench.address import Address
from local.bench.family import Course, Courses
from local.bench.options import Options
from local.bench.page import page
from local.bench.report import Report
from local.bench.run import Run
from local.bench.scenario import SCENARIOS
from local.bench.schedule import surge
from local.bench.tally import Tally
from local.bench.text import summary
from local.bench.threshold import Threshold
from local.bench.watch import Stock

PROGRAMS = "chromium", "chromium-browser", "google-chrome"
BROWSER = next(filter(None, map(shutil.which, PROGRAMS)), None)
NASTY = "</script><script>alert(1)</script>"
PLOTS = {
    "throughput", "latency", "distribution", "inventory", "cpu", "memory", "refusals", "generator"
}  # fmt: skip


def made_run(*, remote: bool = False) -> Run:
    """Of the scenario mixed, 10 s long, with a reply that looks like an attack."""
    address = Address.parse("http://127.0.0.1:8080")
    options = Options(
        scenario=SCENARIOS["mixed"],
        address=address,
        seconds=10.0,
        users=64,
        connections=100,
        processes=1,
        rate=None,
        times=20.0,
        give_up_seconds=5.0,
        wait=True,
    )
    tally = Tally(interval_seconds=0.25, began=50.0, ended=60.0)
    for number in range(400):
        moment = 50.0 + number / 40
        interval = tally.answered(("checkout", 200, ""), 0.001 * (1 + number % 50), moment)
        interval.arrived += 1
        interval.good += 1
        interval.cpu_seconds += 0.001
        interval.latencies["lag"][700] += 1
    tally.now.good = 400
    tally.turned_away(("stats", 503, "overloaded"), 55.0)
    tally.failed("stats", "timeout", f"no answer {NASTY}", 55.0)
    stock = Stock(address, 10.0)
    stock.seconds, stock.left = [0.0, 1.0, 2.0], [10_000, 9_000, 8_000]
    courses = Courses("flashsale up", seconds=[number / 2 for number in range(21)])
    for name in ("gateway 1", "gateway 2", "postgres"):
        course = Course([number / 10 for number in range(21)], [50.0] * 21, 1)
        courses.by_name[name] = course
    return Run(
        options=options,
        tally=tally,
        stock=stock,
        courses=None if remote else courses,
        unwatched="the service runs on another machine" if remote else "",
        items=0,
        capacity=100.0,
        schedule=surge(100, 20, 10),
        audit=None,
        receipts=[],
        notes=["a note"],
    )


def made_report(*thresholds: str, remote: bool = False) -> Report:
    wanted = [Threshold.parse(text) for text in thresholds]
    return Report.of(made_run(remote=remote), wanted, own=[])


class Elements(HTMLParser):
    """Which elements, and what they would load from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_is_one_file_with_a_table_and_words_for_each_plot() -> None:
    text = page(made_report())
    found = Elements(text).tags
    loads = [tag for tag, attributes in found if {"src", "href", "data"} & attributes.keys()]
    assert loads == [], "something would be loaded from elsewhere"
    assert {a["id"] for tag, a in found if a.get("class") == "plot"} == PLOTS
    assert all(a["aria-label"] for _, a in found if a.get("role") == "img")
    assert sum(tag == "figcaption" for tag, _ in found) == len(PLOTS)
    assert sum(tag == "details" for tag, _ in found) == len(PLOTS)
    assert "Permission is hereby granted" in text, "uPlot's licence goes where uPlot goes"
    assert NASTY not in text, "a reply could run as a script of the report"


def test_the_page_holds_the_whole_report_as_json() -> None:
    report = made_report("errors==0")
    element = re.search(r'id="report">(.*?)</script>', page(report), re.DOTALL)
    assert element is not None
    assert json.loads(element[1]) == json.loads(report.as_json())
    told = json.loads(report.as_json())
    assert told["exit_status"] == 1
    assert told["thresholds"] == [
        {"text": "errors==0", "measured": 1, "holds": False, "wanted": True}
    ]
    assert set(told["kinds"]) == {"503 overloaded", "timeout"}
    assert sum(told["kinds"]["timeout"]) * 0.25 == 1
    assert told["metrics"]["p50"] == pytest.approx(25, rel=0.05)
    assert len(told["timeline"]["p99"]) == len(told["timeline"]["seconds"]) == 40


def test_without_processes_to_see_the_report_says_why() -> None:
    report = made_report("service_cpu<50%", remote=True)
    for text in (page(report), summary(report)):
        assert "the service runs on another machine" in text
    assert report.exit_status == 1, "a threshold that was asked for and not measured doesn't hold"


def test_a_generator_that_is_busy_or_late_says_so_everywhere() -> None:
    run = made_run()
    assert Report.of(run, [], own=[]).bottleneck == []
    for interval in run.tally.intervals:
        interval.cpu_seconds = 0.24
        interval.latencies["lag"][1000] += 9  # 22 ms
    report = Report.of(run, [], own=[])
    assert len(report.bottleneck) == 2
    assert "THE GENERATOR WAS THE BOTTLENECK" in summary(report)
    assert "The generator was the bottleneck" in page(report)
    assert json.loads(report.as_json())["bottleneck"] == report.bottleneck


def test_an_empty_run_has_a_report_too() -> None:
    run = replace(made_run(remote=True), tally=Tally(began=1.0, ended=1.1))
    run.stock.seconds, run.stock.left = [], []
    report = Report.of(run, [], own=[])
    assert "none was answered" in page(report)
    assert summary(report)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_real_browser_draws_every_plot(tmp_path: Path, width: int) -> None:
    """It says how many it drew; each has a canvas, and none is wider than the screen."""
    file = tmp_path / "report.html"
    measure = (
        "<script>document.body.dataset.wide = document.documentElement.scrollWidth > innerWidth;"
        "document.body.dataset.canvases = document.querySelectorAll('.plot canvas').length"
        "</script></body>"
    )
    file.write_text(page(made_report()).replace("</body>", measure), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    options = "--headless --no-sandbox --disable-gpu --dump-dom".split()
    drawn = subprocess.run(
        [str(BROWSER), *options, f"--window-size={width},900", profile, file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    body = next(a for tag, a in Elements(drawn).tags if tag == "body")
    assert body["data-drawn"] == str(len(PLOTS))
    assert body["data-canvases"] == str(len(PLOTS))
    assert body["data-wide"] == "false"
