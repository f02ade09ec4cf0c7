"""A deployment of docker-compose.yml under a name and a port of its own, with new volumes."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent.parent
STAND_INS = ROOT / "tests/compose/stand-ins/build.sh"
PYTHON_IMAGE = "python:3.13-slim"
UP_SECONDS_MAX = 240


class Project:
    """What one would type, and what it answered."""

    def __init__(self, name: str, *, port: int, settings: Mapping[str, str]) -> None:
        self.name, self.port = name, port
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            **{key: os.environ[key] for key in os.environ if key.startswith("DOCKER_")},
            **{key: os.environ[key] for key in ("PIP_INDEX_URL",) if key in os.environ},
            "HOST": "127.0.0.1",
            "PORT": str(port),
            **settings,
        }

    def compose(self, *arguments: str, seconds: float = UP_SECONDS_MAX, text: str = "") -> str:
        """Run `docker compose` as after `cp .env.example .env`; its standard output."""
        options = ("--project-name", self.name, "--env-file", ".env.example")
        return self.docker("compose", *options, *arguments, seconds=seconds, text=text)

    def docker(self, *arguments: str, seconds: float = 60, text: str = "") -> str:
        done = subprocess.run(
            ["docker", *arguments],
            cwd=ROOT,
            env=self._environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr[-2_000:]}"
        return done.stdout

    def up(self, *, gateways: int) -> float:
        """Start everything and wait; the seconds that it took."""
        started = time.monotonic()
        self.compose("up", "--detach", "--wait", "--scale", f"gateway={gateways}")
        return time.monotonic() - started

    def down(self, *, volumes: bool = False) -> None:
        self.compose("down", "--timeout", "60", *(["--volumes"] if volumes else []))

    def containers(self, service: str) -> list[str]:
        """The ids of the running ones."""
        return self.compose("ps", "--quiet", service).split()

    def inspect(self, service: str) -> dict[str, Any]:
        """What Docker says of the first container of a service."""
        found = self.compose("ps", "--all", "--quiet", service).split()[0]
        told: list[dict[str, Any]] = json.loads(self.docker("inspect", found))
        return told[0]

    def run_in(self, service: str, *command: str, text: str = "") -> str:
        return self.compose("exec", "-T", service, *command, text=text)

    def sql(self, statement: str) -> list[list[str]]:
        """Rows, by the superuser, within the container."""
        command = ("psql", "-U", "postgres", "-d", "flashsale", "-v", "ON_ERROR_STOP=1", "-AtF|")
        out = self.run_in("postgres", *command, "-c", statement)
        return [line.split("|") for line in out.splitlines()]

    def build(self) -> Sequence[str]:
        """Build our image, with stand-ins for what can't be had; their names."""
        images = {*self.compose("config", "--images").split(), PYTHON_IMAGE}
        missing = sorted(image for image in images if not self._has(image))
        if missing:
            python = ROOT / ".venv/bin/python"
            subprocess.run(
                [STAND_INS, *missing],
                env={**os.environ, **self._environment, "PYTHON": str(python)},
                check=True,
            )
        self.compose("build", "--quiet", "gateway", seconds=900)
        label = '{{index .Config.Labels "flashsale.stand-in"}}'
        inspect = ("image", "inspect", "--format", label)
        images = {image for image in images if not image.startswith("flashsale:")}
        return [image for image in sorted(images) if self.docker(*inspect, image).strip() == "1"]

    def _has(self, image: str) -> bool:
        """Whether it is there, could be pulled, or is ours, and so is built."""
        if image.startswith("flashsale:"):
            return True
        for command in (("image", "inspect"), ("pull", "--quiet")):
            done = subprocess.run(
                ["docker", *command, image],
                env=self._environment,
                capture_output=True,
                check=False,
                timeout=600,
            )
            if done.returncode == 0:
                return True
        return False


def eventually(condition: Callable[[], bool], *, seconds_max: float = 60) -> float:
    """Wait until the condition holds, for as long as the service can't be asked too; the seconds
    that it took."""
    started = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - started
        except (httpx.HTTPError, AssertionError):
            pass
        assert time.monotonic() - started < seconds_max, f"waited {seconds_max} s in vain"
        time.sleep(0.2)
