"""Ctrl-C at any moment of `flashsale up`: it ends quietly, and nothing is left running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from local.instance import is_held
from local.stores import Postgres, Valkey
from tests.local.running import free_port

MOMENTS_MS = (0, 5, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200, 300, 500)
COMMAND = Path(sys.executable).with_name("flashsale")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port())}


def left_over(folder: Path) -> list[psutil.Process]:
    def is_of(process: psutil.Process) -> bool:
        try:
            return str(folder) in process.environ().get("DATA_DIR", "") + str(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    return [process for process in psutil.process_iter() if is_of(process)]


def test_ctrl_c_is_neither_lost_nor_answered_by_a_traceback(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """At many moments of the first half second: Python itself, imports, the stores' first start."""
    try:
        for moment in MOMENTS_MS:
            process = subprocess.Popen(
                [COMMAND, "up"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            time.sleep(moment / 1_000)
            process.send_signal(signal.SIGINT)
            complaint = process.communicate(timeout=60)[1]
            assert complaint == "", f"{moment} ms"
            assert process.returncode in (0, 130, -signal.SIGINT), f"{moment} ms"
            assert not left_over(tmp_path), f"{moment} ms"
    finally:
        for store in (Valkey, Postgres):
            store(tmp_path / "data" / store.name.lower()).discard()


def test_ctrl_c_while_it_waits_for_a_detached_start_stops_that_again(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    try:
        process = subprocess.Popen(
            [COMMAND, "up", "-d"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 60
        while not is_held(tmp_path / "data"):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[0].decode()
        assert process.returncode == 130
        assert told.count("\n") == 1  # where it writes to, and no banner
        assert not left_over(tmp_path)
    finally:
        for store in (Valkey, Postgres):
            store(tmp_path / "data" / store.name.lower()).discard()


@pytest.mark.parametrize("arguments", [("up",), ("up", "-d"), ("status",), ("--help",)])
def test_ctrl_c_while_modules_are_imported_ends_it_without_a_word(
    arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    """In the middle of an import, where Python's own exception would show a traceback."""
    code = """
import builtins, os, signal, sys
from local.cli import main
imported = builtins.__import__
def interrupted(name, *rest, **more):
    if name == "click":
        os.kill(os.getpid(), signal.SIGINT)
    return imported(name, *rest, **more)
builtins.__import__ = interrupted
sys.argv = ["flashsale", *sys.argv[1:]]
main()
"""
    told = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stdout, told.stderr) == (130, "", "")
