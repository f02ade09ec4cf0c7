"""Chooses lines of the service's log."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from local.template import FunctionSpec

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Several processes write, each some lines at a time: a line may stand this far behind a later one.
DISORDER_SECONDS = 5.0


@dataclass(frozen=True)
class Filter:
    """What a line must have. `None` takes any; `since` is in Unix seconds."""

    functions: tuple[FunctionSpec, ...] = ()
    level: str | None = None
    request: str | None = None
    since: float | None = None

    def wants(self, line: str) -> bool:
        if self.request is not None and self.request not in line:
            return False
        if not self.functions and self.level is None and self.since is None:
            return True
        told = parse(line)
        return (
            (not self.functions or _is_of(told, self.functions))
            and (self.level is None or _rank(told) >= LEVELS.index(self.level))
            and (self.since is None or moment(told) >= self.since)
        )

    def is_past(self, line: str) -> bool:
        """Whether no line before this one can be wanted."""
        if self.since is None:
            return False
        noted = moment(parse(line))
        return 0 < noted < self.since - DISORDER_SECONDS


def parse(line: str) -> dict[str, Any]:
    """The fields of a line; none if it is not a JSON object."""
    try:
        told: object = orjson.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def moment(told: dict[str, Any]) -> float:
    """When the line was noted, Unix seconds; 0 if it doesn't say."""
    if "_aws" in told:
        return float(told["_aws"]["Timestamp"]) / 1_000
    try:
        return datetime.fromisoformat(told["timestamp"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return 0.0


def _rank(told: dict[str, Any]) -> int:
    """The level's place among LEVELS; -1 for a line without one, as metrics are."""
    level = told.get("level")
    return LEVELS.index(level) if level in LEVELS else -1


def _is_of(told: dict[str, Any], functions: Iterable[FunctionSpec]) -> bool:
    route, name = told.get("route"), told.get("function")
    return any(
        name in (spec.name, spec.folder.name, f"functions.{spec.folder.name}.app")
        or any(route == known.key for known in spec.routes)
        for spec in functions
    )
