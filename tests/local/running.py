"""A service started by `flashsale up`, for tests that look at it from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import psutil

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
