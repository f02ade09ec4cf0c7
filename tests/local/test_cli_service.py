"""The command `flashsale` around one detached service: up, looked at, tried, down, reset."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local.stores import Postgres, Valkey
from tests.local.running import COMMAND, free_port

Command = Callable[..., subprocess.CompletedProcess[str]]

# Python reads it at its start: the second gateway process takes a while before it serves.
LATE = """
import os, sys, time
if "local.serve" in sys.orig_argv and os.environ.get("READY_FILE", "").endswith("gateway-2"):
    time.sleep(1.5)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("cli") / "data"
    yield made
    for store in (Valkey, Postgres):
        store(made / store.name.lower()).discard()


@pytest.fixture(scope="module")
def command(folder: Path) -> Iterator[Command]:
    """Runs the command beside the detached service; ends it if the test has not."""
    environment = {
        **os.environ,
        "DATA_DIR": str(folder),
        "PORT": str(free_port()),
        "SALE_SECONDS": "86400",
    }

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    yield run
    run("down")


@pytest.fixture(scope="module")
def running(command: Command, folder: Path) -> str:
    """The service, up; what `up -d` printed. One of its gateway's processes is late."""
    late = folder.parent / "late"
    late.mkdir()
    (late / "sitecustomize.py").write_text(LATE)
    path = os.pathsep.join(filter(None, (str(late), os.environ.get("PYTHONPATH"))))
    told = command("up", "--detach", PYTHONPATH=path)
    assert told.returncode == 0, told.stderr
    listening = [
        process
        for process in psutil.Process(
            json.loads((folder / "run.json").read_text())["pid"]
        ).children()
        if "local.serve" in process.cmdline() and process.net_connections("inet")
    ]
    assert len(listening) == 2, "it said it was up before every process served"
    return told.stdout


def test_up_detached_returns_once_every_process_serves(running: str, folder: Path) -> None:
    assert "Flashsale is on" in running
    assert "Starting PostgreSQL" in (folder / "logs" / "up.log").read_text()


def test_status_tells_an_operator_how_it_does(running: str, command: Command) -> None:
    told = command("status", "--json")
    assert told.returncode == 0
    found = json.loads(told.stdout)
    assert found["healthy"]
    assert 0 < found["uptime_seconds"] < 600
    names = [process["name"] for process in found["processes"]]
    assert names == ["supervisor", "Valkey", "PostgreSQL", "scheduler", "gateway 1", "gateway 2"]
    assert all(psutil.pid_exists(process["pid"]) for process in found["processes"])
    assert all(process["memory_mib"] > 1 for process in found["processes"])
    assert found["health"]["checks"]["redis"]["breaker"] == "closed"
    assert found["sale"]["stats"]["total_items"] == "10000"
    shown = command("status").stdout
    for part in ("health", "breaker closed", "of 10,000 sold", "gateway 2", found["gateway"]):
        assert part in shown


def test_the_three_quiet_tests_pass_and_say_what_they_bought(
    running: str, command: Command
) -> None:
    told = command("test", "basic", "checkout", "limits", "--json")
    assert told.returncode == 0, told.stdout
    found = json.loads(told.stdout)
    assert found["passed"]
    assert {check["test"] for check in found["checks"]} == {"basic", "checkout", "limits"}
    assert len(found["bought"]) == 11
    rows = command("psql", "-At", "-c", "select item, buyer, purchase_id from purchases").stdout
    bought = {(str(each["item"]), each["buyer"], each["purchase_id"]) for each in found["bought"]}
    assert bought <= {tuple(row.split("|")) for row in rows.splitlines()}
    assert len({buyer for _, buyer, _ in bought}) == 2

    again = command("test", "checkout")  # beside what was sold before
    assert again.returncode == 0, again.stdout
    assert "Bought by test-" in again.stdout
    assert "5 passed, 0 failed" in again.stdout


def test_a_test_of_something_else_fails_check_by_check(command: Command) -> None:
    """A server that answers everything with 404 fails, and is no reason for a traceback."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().split()[5]
        told = command("test", "basic", "checkout", "--url", f"http://127.0.0.1:{port}")
        server.terminate()
    assert told.returncode == 1
    assert told.stderr == ""
    assert "fail  basic     GET /health says healthy" in told.stdout
    assert "fail  checkout  some items are left" in told.stdout
    nobody = command("test", "basic", "--url", f"http://127.0.0.1:{port}")
    assert nobody.returncode == 1
    assert "no answer" in nobody.stdout
    assert command("test", "basic", "--url", "shop.example").returncode == 2


def test_a_crowd_asks_before_it_buys_from_a_url(running: str, command: Command) -> None:
    url = command("url", "gateway").stdout.strip()
    told = command("test", "load", "--duration", "0.3", "--url", url)
    assert told.returncode == 1
    assert "Buy everything" in told.stderr
    assert told.stdout == ""


def test_a_crowd_is_judged_and_its_purchases_counted(running: str, command: Command) -> None:
    told = command("test", "load", "--duration", "0.5", "--users", "8", "--json")
    assert told.returncode == 0, told.stdout
    found = json.loads(told.stdout)
    assert [check["name"] for check in found["checks"]] == [
        "errors==0",
        "nobody got what nobody should get",
    ]
    assert found["crowds"]["load"]["pairs"] > 0


def test_a_second_up_fails_in_one_sentence(running: str, command: Command) -> None:
    for arguments in (["up"], ["up", "-d"]):
        told = command(*arguments)
        assert told.returncode == 1
        assert told.stderr.count("\n") == 1
        assert "already runs" in told.stderr
    assert command("status").returncode == 0


def test_doctor_knows_its_own_service(running: str, command: Command) -> None:
    found = json.loads(command("doctor", "--json").stdout)
    assert found["healthy"]
    details = {check["name"]: check["detail"] for check in found["checks"]}
    assert "the running service's" in details["port"]
    assert details["processes"] == "the service runs"


def test_a_failing_start_is_one_sentence_and_leaves_nothing(
    command: Command, tmp_path: Path
) -> None:
    told = command(
        "up", "-d", DATA_DIR=str(tmp_path / "data"), PORT=str(free_port()), WORKERS="many"
    )
    assert told.returncode == 1
    assert told.stderr == "WORKERS is 'many', which is not a whole number.\n"


def is_there(process: psutil.Process) -> bool:
    """Whether it runs; one that has ended may wait for its parent to ask, which isn't we."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_reset_refuses_then_down_ends_all_and_reset_removes_all(
    running: str, command: Command, folder: Path
) -> None:
    """Also PostgreSQL's data where they are outside the folder."""
    assert "flashsale down" in command("reset", "--yes").stderr
    state = json.loads((folder / "run.json").read_text())
    family = [psutil.Process(pid) for pid in (state["pid"], *state["processes"].values())]
    data = (folder / "postgres" / "data").resolve()
    assert data.exists()

    told = command("down")
    assert told.returncode == 0
    assert str(state["pid"]) in told.stdout
    assert not [process for process in family if is_there(process)]
    assert command("status").returncode == 3
    assert command("down").returncode == 0

    assert command("reset", "--yes").returncode == 0
    assert not folder.exists()
    assert not data.exists()
