"""CPU and memory of real processes: a parent that sleeps and a child of it that works."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from local.bench.family import Family

WORK = "while True: sum(range(10_000))"
PARENT = f"""
import socket, subprocess, sys
listening = socket.create_server(("127.0.0.1", 0))
subprocess.Popen([sys.executable, "-c", {WORK!r}])
print(listening.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def port() -> Iterator[int]:
    """Where a parent listens whose child works."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        yield int(parent.stdout.readline())
        for process in psutil.Process(parent.pid).children():
            process.kill()
        parent.kill()


def test_cpu_of_children_is_counted_from_the_start_on(port: int) -> None:
    family = Family.listening_on("127.0.0.1", port)
    assert isinstance(family, Family)
    family.start(time.perf_counter())
    (course,) = family.courses.by_name.values()
    assert course.cpu_seconds == [0.0], "what it used before is not ours"
    assert course.processes == 2
    assert course.memory_mib[0] > 1
    deadline = time.monotonic() + 20
    while course.cpu_seconds[-1] < 0.05:
        assert time.monotonic() < deadline
        family.sample(time.perf_counter())
        time.sleep(0.02)
    assert len(course.cpu_seconds) == len(course.memory_mib) == len(family.courses.seconds)


def test_what_cant_be_watched_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        unused = free.getsockname()[1]
    assert f"port {unused}" in str(Family.listening_on("127.0.0.1", unused))
    assert "another machine" in str(Family.listening_on("192.0.2.1", 80))
