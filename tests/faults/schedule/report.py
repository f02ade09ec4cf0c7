"""What many runs came to, as a table; and how far they are, as a bar."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from time import monotonic

from tests.faults.schedule.plan import KINDS
from tests.faults.schedule.promises import PROMISES
from tests.faults.schedule.run import Result

_BAR = 30
_COLUMN = 34
GROUPS = ("acked", "refused", "unknown", "error")


def replay(seed: int) -> str:
    """The command that runs one seed again."""
    return f".venv/bin/python -m tests.faults.schedule --seed {seed}"


def with_bar(results: Iterable[Result], *, count: int) -> Iterator[Result]:
    """Pass results on and, on a terminal, show how many there are; tell of each bad one at once."""
    shown = sys.stderr.isatty()
    began, bad = monotonic(), 0
    for done, result in enumerate(results, start=1):
        if result.violations:
            bad += 1
            _clear(shown)
            print(bad_run(result), file=sys.stderr, flush=True)
        if shown:
            full = _BAR * done // count
            left = (monotonic() - began) / done * (count - done)
            sys.stderr.write(
                f"\r[{'#' * full}{'.' * (_BAR - full)}] {done} of {count} runs,"
                f" {bad} bad, {left:.0f} s left "
            )
            sys.stderr.flush()
        yield result
    _clear(shown)


def bad_run(result: Result) -> str:
    lines = [f"seed {result.seed}: {replay(result.seed)}"]
    lines += [f"  {violation.kind}: {violation.detail}" for violation in result.violations]
    return "\n".join(lines)


def table(results: list[Result], *, seconds: float) -> str:
    """The sums over all runs, every kind of fault and of violation named, also where it is 0."""
    faults: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    violations: Counter[str] = Counter()
    for result in results:
        faults += result.faults
        calls += result.calls
        violations += Counter(violation.kind for violation in result.violations)
    settling = max((result.settle_seconds for result in results), default=0.0)
    slowest = max((result.slowest_seconds for result in results), default=0.0)
    kinds = [*PROMISES, *sorted(violations.keys() - PROMISES.keys())]
    return "\n".join(
        [
            _line("runs", len(results)),
            _line("of them without a fault", sum(not result.faults for result in results)),
            _line("seconds", f"{seconds:.0f}"),
            _line("longest time to settle, s", f"{settling:.1f}"),
            _line("longest wait for an answer, s", f"{slowest:.1f}"),
            "",
            _line("faults", faults.total()),
            *(_line(f"  {kind}", faults[kind]) for kind in KINDS),
            "",
            _line("calls", calls.total()),
            *(_line(f"  {group}", calls[group]) for group in GROUPS),
            _line("  answered without Redis", sum(result.degraded for result in results)),
            "",
            _line("VIOLATIONS", violations.total()),
            *(_line(f"  {kind}", violations[kind]) for kind in kinds),
        ]
    )


def _line(name: str, value: object) -> str:
    return f"{name:<{_COLUMN}}{value:>9}"


def _clear(shown: bool) -> None:
    if shown:
        sys.stderr.write("\r\033[K")
