"""CPU time of a server with all its processes."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil


def cpu_seconds(root: int) -> float:
    """User and system time that a process and its descendants have used since they began, those
    that have ended included. In steps of 10 ms a process."""
    total = 0.0
    try:
        process = psutil.Process(root)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return total
    for member in family:
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue  # its parent has its time among that of its children, or will have it
        total += times.user + times.system + times.children_user + times.children_system
    return total


@dataclass
class Meter:
    """Adds up, over the blocks it is the context of, what each of some servers has used.

    `roots` holds a process id by name, `seconds` the CPU seconds by the same names.
    """

    roots: dict[str, int]

    def __post_init__(self) -> None:
        self.seconds = dict.fromkeys(self.roots, 0.0)
        self._before: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._before = {name: cpu_seconds(root) for name, root in self.roots.items()}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for name, root in self.roots.items():
            self.seconds[name] += cpu_seconds(root) - self._before[name]
