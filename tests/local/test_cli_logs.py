"""`flashsale logs`: the right lines, as they are in a pipe and readable on a terminal."""

import json
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.commands.logline import readable
from tests.local.running import COMMAND


def line(message: str = "request", *, level: str = "INFO", ago: float = 0, **more: Any) -> str:
    """As the service writes one; `ago` in seconds."""
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    noted = moment.strftime("%Y-%m-%d %H:%M:%S,%f")[:-3] + "+0000"
    return json.dumps({"level": level, "message": message, "timestamp": noted, **more})


def metric(ago: float) -> str:
    noted = int((time.time() - ago) * 1_000)
    return json.dumps({"_aws": {"Timestamp": noted}, "service": "flashsale", "Opened": [1.0]})


def fault(ago: float) -> str:
    more = {"route": "POST /purchase", "exception": "Trace\n back"}
    return line("store fault", ago=ago, level="ERROR", **more)


@pytest.fixture
def lines(tmp_path: Path) -> dict[str, str]:
    """A log, by names for its lines; far enough apart for a slow machine."""
    made = {
        "old": line(ago=90_000, route="GET /stats", request_id="a1"),
        "checkout": line(ago=9_000, route="POST /checkout", request_id="b2", status=200),
        "fault": fault(7_000),
        "run": line("run", ago=5_000, function="functions.create_sale.app", outcome="ok"),
        "metric": metric(4_000),
        "report": "REPORT RequestId: c3 Duration: 1.23 ms",
        "warning": line("breaker", ago=3_000, level="WARNING"),
        "purchase": line(ago=10, route="POST /purchase", request_id="c3", status=409),
    }
    (tmp_path / "logs").mkdir()
    text = "".join(f"{each}\n" for each in made.values())
    (tmp_path / "logs" / "flashsale.jsonl").write_text(text)
    return made


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "logs", *arguments],
        env={**os.environ, "DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ("", "old checkout fault run metric report warning purchase"),
        ("-n 2", "warning purchase"),
        ("--function checkout", "checkout"),
        ("--function CheckoutFunction --function create_sale", "checkout run"),
        ("--function purchase -n 1", "purchase"),
        ("--level error", "fault"),
        ("--level WARNING", "fault warning"),
        ("--request c3", "report purchase"),
        ("--since 6000s", "run metric warning purchase"),
        ("--since 1d --level info", "checkout fault run warning purchase"),
        ("--since HOUR_AGO", "warning purchase"),
        ("--since 2h -n 1", "purchase"),
    ],
)
def test_filters_choose_lines(
    tmp_path: Path, lines: dict[str, str], arguments: str, names: str
) -> None:
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    told = run(tmp_path, *arguments.replace("HOUR_AGO", hour_ago).split())
    by_text = {text: name for name, text in lines.items()}
    assert [by_text[each] for each in told.stdout.splitlines()] == names.split()
    assert told.returncode == 0


def test_an_unknown_function_is_named_with_those_there_are(
    tmp_path: Path, lines: dict[str, str]
) -> None:
    told = run(tmp_path, "--function", "chekout")
    assert told.returncode == 2
    assert "checkout, purchase" in told.stderr


def test_without_a_log_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    told = run(tmp_path)
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize(("more", "raw"), [([], False), (["--json"], True)])
def test_a_terminal_gets_readable_lines_unless_it_wants_json(
    tmp_path: Path, lines: dict[str, str], more: list[str], raw: bool
) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*COMMAND, "logs", "--request", "b2", *more],
        env={**os.environ, "DATA_DIR": str(tmp_path), "NO_COLOR": "1"},
        stdout=theirs,
    ) as process:
        os.close(theirs)
        told = os.read(ours, 4_096).decode()
        process.wait(20)
    os.close(ours)
    assert told.startswith("{") is raw
    assert "POST /checkout" in told


def test_a_readable_line_leaves_nothing_out() -> None:
    told = line(route="GET /x", status=503, outcome="busy", latency_ms=1.5, degraded=True)
    for part in ("GET /x", "503 busy", "1.50 ms", "degraded=True"):
        assert part in readable(told)
    assert "ERROR" in readable(fault(0))
    assert readable(fault(0)).endswith("\nTrace\n back")
    assert "Opened=[1.0]" in readable(metric(0))
    assert readable("REPORT RequestId: c3") == "REPORT RequestId: c3"
