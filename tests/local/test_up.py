"""`flashsale up` as its user meets it: real processes, a folder and a port of the test's own."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import pytest

from local.stores import Postgres, Valkey

COMMAND = [sys.executable, "-m", "local.cli"]


class Running:
    """A started service."""

    def __init__(self, folder: Path, port: int, **environment: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        own = {"PORT": str(port), "DATA_DIR": str(folder), **environment}
        self.environment = {**os.environ, **own}
        self.process = subprocess.Popen(
            [*COMMAND, "up"], env=self.environment, stdout=subprocess.PIPE, text=True
        )

    def until_up(self) -> str:
        """What it printed, up to the end of its banner."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if "logs -f" in line:
                return "".join(lines)
        raise AssertionError(f"it ended: {''.join(lines)}")

    def call(self, method: str, path: str) -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
            return told

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def make(**environment: str) -> Running:
        running = Running(tmp_path / "data", free_port(), **environment)
        started.append(running)
        return running

    yield make
    for running in started:
        if running.process.poll() is None:
            running.end()
        if running.process.stdout:
            running.process.stdout.close()
    for store in (Valkey(tmp_path / "data" / "valkey"), Postgres(tmp_path / "data" / "postgres")):
        store.discard()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 20
    while not condition():
        assert monotonic() < deadline, "waited 20 s in vain"
        sleep(0.02)


def buy(service: Running, item: int) -> str:
    code = service.call("POST", f"/checkout?user_id=alice&id={item}")["checkout_code"]
    return str(service.call("POST", f"/purchase?code={code}")["purchase_id"])


def test_a_whole_life(start: Callable[..., Running]) -> None:
    """Up, a purchase, everything killed, up again with nothing lost, down with nothing left."""
    service = start()
    banner = service.until_up()
    assert service.url in banner
    bought = buy(service, 42)

    status = json.loads(service.command("status", "--json").stdout)
    assert status["gateway"] == service.url
    assert status["redis"].startswith("redis://:")
    assert service.command("url", "postgres").stdout.strip() == status["postgres"]
    rows = service.command("psql", "-At", "-c", "select item, purchase_id from purchases")
    assert rows.stdout == f"42|{bought}\n"
    assert service.call("GET", "/stats")["stats"]["items_sold"] == "1"

    family = service.family()
    service.process.kill()
    service.process.wait()
    psutil.wait_procs(family, timeout=15)
    assert not [process for process in family if process.is_running()]

    again = start()
    again.until_up()
    assert again.call("GET", "/stats")["stats"]["items_sold"] == "1"
    assert again.command("psql", "-At", "-c", "select purchase_id from purchases").stdout == (
        f"{bought}\n"
    )
    family = again.family()
    assert again.end() == 0
    assert not [process for process in family if process.is_running()]
    assert again.command("status").returncode == 3


def test_whatever_dies_is_started_again(start: Callable[..., Running]) -> None:
    """The gateway's processes, the scheduler, Valkey and PostgreSQL, killed one after the other."""
    service = start()
    service.until_up()
    buy(service, 1)
    for word in ("local.serve", "local.scheduler", "valkey-server", "bin/postgres"):
        before = {p.pid for p in named(service, word)}
        for process in named(service, word):
            process.kill()

        def replaced(word: str = word, before: set[int] = before) -> bool:
            return bool(now := {p.pid for p in named(service, word)}) and not now & before

        until(replaced)
    # Each of the gateway's processes finds out for itself; a buyer who is told 503 tries again.
    until(lambda: healthy(service) and bought_too(service))
    assert service.call("GET", "/stats")["stats"]["items_sold"] == "2"


def bought_too(service: Running) -> bool:
    try:
        return bool(buy(service, 2))
    except urllib.error.HTTPError as error:
        with error:
            assert error.code == 503
            return False


def named(service: Running, word: str) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(service.process.pid).children():
        try:
            if word in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def healthy(service: Running) -> bool:
    try:
        return bool(service.call("GET", "/health")["success"])
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def test_a_taken_port_is_one_sentence(start: Callable[..., Running]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        service = start()
        service.end()
        told = subprocess.run(
            [*COMMAND, "up"],
            env={**service.environment, "PORT": port},
            capture_output=True,
            text=True,
            check=False,
        )
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert f"Port {port}" in told.stderr


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("WORKERS", "many", "WORKERS is 'many'"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL is 'LOUD'"),
        ("REDIS_ADDR", "127.0.0.1:1", "Redis at 127.0.0.1:1 is out of reach"),
        ("CODE_KEYS", "1:abcd", "CODE_KEYS wants"),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_leaves_nothing_running(
    tmp_path: Path, setting: str, value: str, words: str
) -> None:
    environment = {"DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port()), setting: value}
    told = subprocess.run(
        [*COMMAND, "up"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    Postgres(tmp_path / "data" / "postgres").discard()
    assert told.returncode == 1
    assert words in told.stderr
    assert told.stderr.count("\n") == 1
    left = [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(p.info["cmdline"])]
    assert not left
