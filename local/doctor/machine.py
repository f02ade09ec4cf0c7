"""Looks at the machine: disk, memory, limits, clock."""

import resource
import shutil
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil

from local.bounds import Bounds, variable
from local.doctor.finding import Finding, fail, ok, warn
from local.doctor.place import nearest
from local.environment import ROOT
from local.errors import LocalError

MIB = 1 << 20
# A day's sales, attempts and logs; then what one start of both stores writes.
DISK_MIB, DISK_MIB_LEAST = 2_048, 512
# What the service uses in the middle of a sale, and before anybody came.
MEMORY_MIB, MEMORY_MIB_LEAST = 512, 192
TOOL_SECONDS_MAX = 5


def disk(folder: Path) -> Finding:
    place = nearest(folder)
    free = shutil.disk_usage(place).free // MIB
    detail = f"{free:,} MiB free at {place}"
    if free >= DISK_MIB:
        return ok("disk", detail)
    remedy = "make room, or set DATA_DIR to a folder on another disk"
    return (warn if free >= DISK_MIB_LEAST else fail)("disk", detail, remedy)


def memory() -> Finding:
    free = psutil.virtual_memory().available // MIB
    detail = f"{free:,} MiB available"
    if free >= MEMORY_MIB:
        return ok("memory", detail)
    remedy = f"end other programs: the service wants {MEMORY_MIB} MiB"
    return (warn if free >= MEMORY_MIB_LEAST else fail)("memory", detail, remedy)


def open_files(user: Mapping[str, str]) -> Finding:
    """A connection is a file. The gateway's processes raise their own limit, as far as they may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        wanted = Bounds.read(user).files
    except LocalError:
        return warn("open files", "how many are wanted is not known", "mend the settings first")
    most = "any number" if hard == resource.RLIM_INFINITY else f"{hard:,}"
    detail = f"a process may open {most}, and one of the gateway wants {wanted:,}"
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return ok("open files", detail)
    name = variable("connections")
    return fail("open files", detail, f"raise `ulimit -Hn`, or set {name} below {hard:,}")


def clock() -> Finding:
    """A sale begins by the clock, and so does every code's end."""
    now, written = time.time(), (ROOT / "template.yaml").stat().st_mtime
    detail = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC"
    remedy = "set the clock, best by NTP: timedatectl set-ntp true"
    if now < written - 1:
        return fail("clock", f"{detail}, which is before this checkout was made", remedy)
    if _kept_by_ntp() is False:
        return warn("clock", f"{detail}, and nothing keeps it right", remedy)
    return ok("clock", detail)


def _kept_by_ntp() -> bool | None:
    """What systemd says; None where there is none to ask."""
    program = shutil.which("timedatectl")
    if program is None:
        return None
    try:
        told = subprocess.run(
            [program, "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            check=False,
            timeout=TOOL_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        return None
    return {"yes": True, "no": False}.get(told.stdout.strip())
