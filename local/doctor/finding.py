"""What one look at the machine found."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """`warn`: it works, but not as well or not all of it. `fail`: the service can't run, or loses
    something. Both have a remedy."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def ok(name: str, detail: str) -> Finding:
    return Finding(name, "ok", detail)


def warn(name: str, detail: str, remedy: str) -> Finding:
    return Finding(name, "warn", detail, remedy)


def fail(name: str, detail: str, remedy: str) -> Finding:
    return Finding(name, "fail", detail, remedy)
