"""How the service that runs in a data folder does: what it tells, what its processes use, and what
its gateway answers."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from local.instance import supervisor, told

ANSWER_SECONDS_MAX = 5
MIB = 1 << 20


def condition(folder: Path) -> dict[str, Any]:
    """`running`, `healthy` and `pid`, and, if it is up, all that `flashsale status` shows: what it
    tells (`instance.told`), `uptime_seconds`, `processes`, `health` and `sale`, which are None
    where the gateway doesn't answer."""
    process, state = supervisor(folder), told(folder)
    if process is None or state is None:
        pid = process.pid if process else None
        return {"running": False, "healthy": False, "pid": pid}
    health = _get(state["gateway"], "/health")
    sale = _get(state["gateway"], "/stats")
    if sale is not None and sale.get("success"):
        sale["seconds_left"] = max(0, int(sale["stats"]["end_time"]) - int(time.time()))
    else:
        sale = None
    return {
        "running": True,
        "healthy": bool(health and health.get("success") and sale),
        **state,
        "uptime_seconds": round(time.time() - state["since"], 1),
        "processes": _processes({"supervisor": process.pid, **state["processes"]}),
        "health": health,
        "sale": sale,
    }


def _processes(pids: Mapping[str, int]) -> list[dict[str, Any]]:
    """Those that are there: CPU in seconds, memory as RSS, their own children's included."""
    found = []
    for name, pid in pids.items():
        try:
            process = psutil.Process(pid)
            family = [process, *(process.children(recursive=True) if name != "supervisor" else [])]
            used = [each.cpu_times() for each in family]
            memory = sum(each.memory_info().rss for each in family)
        except psutil.NoSuchProcess:
            continue
        cpu = sum(times.user + times.system for times in used)
        found.append(
            {
                "name": name,
                "pid": pid,
                "cpu_seconds": round(cpu, 2),
                "memory_mib": round(memory / MIB, 1),
            }
        )
    return found


def _get(url: str, path: str) -> dict[str, Any] | None:
    """The JSON object that the gateway answers, whatever its status; None for no answer."""
    try:
        with urllib.request.urlopen(url + path, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310
            told: object = json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            try:
                told = json.load(refused)
            except ValueError:
                return None
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None
