"""`flashsale bench` from outside, against a real service on a port and in a folder of its own."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stores import Postgres, Valkey
from tests.local.running import Running, free_port

ITEMS = 300


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With a small sale, so that a whole one is sold in a second."""
    folder = tmp_path_factory.mktemp("bench") / "data"
    running = Running(folder, free_port(), ITEMS_PER_SALE=str(ITEMS))
    running.until_up()
    yield running
    running.end()
    if running.process.stdout:
        running.process.stdout.close()
    for store in (Valkey(folder / "valkey"), Postgres(folder / "postgres")):
        store.discard()


def bench(service: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    return service.command("bench", *arguments, "--no-wait")


def test_a_crowd_that_goes_through_a_whole_sale(service: Running, tmp_path: Path) -> None:
    """Its first hundred, then all of it, then refusals, arrivals, browsing; in one test, since
    each needs what the one before has left. It finds the service by itself."""
    reports = tmp_path / "report.html"
    rush = bench(service, "rush", "--duration", "1", "--json", "--report", str(reports))
    assert rush.returncode == 0, rush.stdout + rush.stderr
    told = json.loads(rush.stdout)
    assert told["url"] == service.url
    assert told["clean"] is True
    sold = told["metrics"]["pairs"]
    assert 0 < sold <= 100
    assert told["metrics"]["refused"] > 0
    assert "gateway 1" in told["service"]["memory_mib"]
    assert told["metrics"]["service_memory"] > 10
    assert 'id="throughput"' in reports.read_text(encoding="utf-8")

    result = tmp_path / "result.json"
    files = ("--json", str(result), "--no-report")
    fine = ("--threshold", "pairs>0", "--threshold", "p99<60s")
    sellout = bench(service, "sellout", "--users", "16", "--processes", "2", *fine, *files)
    assert sellout.returncode == 0, sellout.stdout + sellout.stderr
    told = json.loads(result.read_text())
    assert told["metrics"]["pairs"] + sold == ITEMS
    assert told["metrics"]["not_bought"] == 0
    assert told["audit"] == []
    assert told["inventory"]["left"][-1] == 0
    assert "audit     /stats agrees" in sellout.stdout

    soldout = bench(service, "soldout", "--duration", "1", "--threshold", "refused>1e9", *files)
    assert soldout.returncode == 2, "1e9 is not a number of ours"
    soldout = bench(service, "soldout", "--duration", "1", "--threshold", "pairs>0", *files)
    assert soldout.returncode == 1, "a threshold that fails is exit status 1"
    assert "FAILS     pairs>0: measured 0" in soldout.stdout
    assert json.loads(result.read_text())["metrics"]["refused"] > 0

    arrivals = ("--rate", "40", "--times", "2", "--duration", "2", "--processes", "2")
    mixed = bench(service, "mixed", *arrivals, "--threshold", "goodput_kept>=0", *files)
    assert mixed.returncode == 0, mixed.stdout + mixed.stderr
    told = json.loads(result.read_text())
    assert told["capacity"] == 40
    assert told["loop"].startswith("Open loop")
    assert told["metrics"]["lag_p99"] > 0
    answered = sum(outcome["count"] for outcome in told["outcomes"])
    arrived = sum(rate or 0 for rate in told["timeline"]["offered"]) * 0.25
    assert answered == pytest.approx(arrived), "every arrival is accounted for: all were refusals"

    browse = bench(service, "browse", "--duration", "1", "--users", "4", "--no-report")
    assert browse.returncode == 0, browse.stdout + browse.stderr
    assert "Closed loop: each of 4 users" in browse.stdout


def test_soldout_sells_what_is_left_first_and_says_so(
    service: Running, request: pytest.FixtureRequest
) -> None:
    """Whatever the other test left, afterwards nothing is."""
    soldout = bench(service, "soldout", "--duration", "1", "--no-report", "--json")
    assert soldout.returncode == 0, soldout.stdout + soldout.stderr
    told = json.loads(soldout.stdout)
    assert told["metrics"]["pairs"] == 0
    assert set(told["inventory"]["left"]) == {0}


@pytest.mark.parametrize(
    "arguments",
    [
        ("sellout", "--url", "http://127.0.0.1:1"),
        ("sellout", "--url", "nonsense"),
        ("sellout", "--rate", "5"),
        ("sellout", "--threshold", "p98<1"),
        ("sellout", "--processes", "9", "--users", "8"),
        ("sellout", "--users", "9", "--connections", "8"),
        ("sellout", "--report", "/nowhere/at/all.html"),
        ("carnival",),
        (),
    ],
)
def test_what_cant_be_run_is_exit_status_2(service: Running, arguments: tuple[str, ...]) -> None:
    found = bench(service, *arguments)
    assert found.returncode == 2
    assert "Error: " in found.stderr
    assert "Traceback" not in found.stderr
