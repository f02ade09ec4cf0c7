"""Runs random fault schedules and judges them: `python -m tests.faults.schedule --seed 4711`."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from time import monotonic

from tests.faults.schedule.many import ledgers, run_seeds
from tests.faults.schedule.plan import Plan
from tests.faults.schedule.report import bad_run, table, with_bar
from tests.faults.schedule.run import Result, run_seed


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 if no promise was broken, else 1."""
    options = _options(arguments)
    began = monotonic()
    if options.seed is not None:
        results = [_run_one(options.seed)]
        print()
    else:
        seeds = range(options.first, options.first + options.count)
        running = run_seeds(seeds, workers=options.workers)
        results = list(with_bar(running, count=len(seeds)))
    print(table(results, seconds=monotonic() - began))
    return 1 if any(result.violations for result in results) else 0


def _run_one(seed: int) -> Result:
    """Run one seed and tell all about it; what the service logged is kept if it went wrong."""
    plan = Plan.of(seed)
    print(plan.summary())
    folder = Path(tempfile.mkdtemp(prefix=f"flashsale-seed-{seed}-"))
    folder.chmod(0o711)
    keep = True
    history = folder / "history.txt"
    try:
        with ledgers(folder) as made, history.open("w") as told:
            result = run_seed(seed, made, note=lambda line: print(line, file=told))
        keep = bool(result.violations)
    finally:
        if not keep:
            shutil.rmtree(folder)
    if keep:
        print(bad_run(result))
        print(f"the calls and what the service logged: {folder}")
    return result


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.schedule", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one alone, and tell all about it")
    parser.add_argument("-n", dest="count", type=_positive, default=100, help="runs, %(default)s")
    parser.add_argument(
        "--from", dest="first", type=int, default=1, help="the first seed, %(default)s"
    )
    parser.add_argument(
        "--workers", type=_positive, default=os.cpu_count() or 1, help="processes, %(default)s"
    )
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
