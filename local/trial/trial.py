"""What was tried, what came of it, and what it bought."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from local.bench.service import ServiceError
from local.trial.site import CheckFailedError, Site

Result = TypeVar("Result")


@dataclass(frozen=True)
class Check:
    """One thing that was tried; `detail` says what went wrong."""

    test: str
    name: str
    passed: bool
    detail: str
    milliseconds: float


@dataclass(frozen=True)
class Bought:
    item: int
    buyer: str
    purchase_id: str


@dataclass
class Trial:
    """A run of some tests. `tell` hears of each check as it is made."""

    site: Site
    tell: Callable[[Check], None]
    checks: list[Check] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def check(self, test: str, name: str, attempt: Callable[[], Result]) -> Result | None:
        """Try it and note it down; what it returned, or None if it failed."""
        started, result, detail = time.perf_counter(), None, ""
        try:
            result = attempt()
        except (CheckFailedError, ServiceError) as error:
            detail = str(error)
        self.note(test, name, detail, time.perf_counter() - started)
        return result

    def note(self, test: str, name: str, fault: str, seconds: float) -> None:
        """Note a check that was made elsewhere; no fault, and it has passed."""
        self.checks.append(Check(test, name, not fault, fault, round(seconds * 1_000, 1)))
        self.tell(self.checks[-1])
