"""`flashsale up` as its user meets it: real processes, a folder and a port of the test's own."""

import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from local.stores import Postgres, Valkey
from tests.local.running import COMMAND, Running, free_port


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


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 20
    while not condition():
        assert monotonic() < deadline, "waited 20 s in vain"
        sleep(0.02)


def test_a_stop_under_load_loses_nothing_that_was_acknowledged(
    start: Callable[..., Running],
) -> None:
    """SIGTERM while a crowd buys: what is in flight is answered, and it is over within 10 s."""
    service = start()
    service.until_up()
    bought: list[str] = []
    with ThreadPoolExecutor(12) as crowd:
        shoppers = [
            crowd.submit(
                shop_until_closed, service, f"buyer-{n}", range(n * 10 + 1, n * 10 + 11), bought
            )
            for n in range(12)
        ]
        until(lambda: len(bought) > 30)
        asked = monotonic()
        assert service.end(signal.SIGTERM) == 0
        assert monotonic() - asked < 10
        for shopper in shoppers:
            shopper.result()

    again = start()
    again.until_up()
    rows = again.command("psql", "-At", "-c", "select purchase_id from purchases").stdout.split()
    assert set(bought) <= set(rows)
    report = json.loads(again.command("audit", "--json").stdout)
    assert report["violations"] == 0


def shop_until_closed(service: Running, buyer: str, items: range, bought: list[str]) -> None:
    """Buy one item after the other until nobody answers any more; a broken answer is none."""
    for item in items:
        try:
            bought.append(buy(service, item, buyer=buyer))
        except (OSError, HTTPException):
            return


def buy(service: Running, item: int, *, buyer: str = "alice") -> str:
    code = service.call("POST", f"/checkout?user_id={buyer}&id={item}")["checkout_code"]
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
        error.close()
        if error.code != 503:
            raise
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


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        told = subprocess.run(
            [*COMMAND, "up"],
            env={**os.environ, "DATA_DIR": str(tmp_path / "data"), "PORT": port},
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
