"""Many seeds, on all cores: every worker process has a PostgreSQL of its own."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path

from tests.faults.schedule.promises import Violation
from tests.faults.schedule.run import Result, run_seed
from tests.faults.schedule.stores import Ledgers

_ledgers: Ledgers | None = None


def run_seeds(seeds: Sequence[int], *, workers: int) -> Iterator[Result]:
    """Run seeds and yield their results as they come."""
    folder = Path(tempfile.mkdtemp(prefix="flashsale-faults-"))
    folder.chmod(0o711)  # PostgreSQL's user must get in
    try:
        with ProcessPoolExecutor(
            min(workers, len(seeds)),
            mp_context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(folder,),
        ) as pool:
            under_way = [pool.submit(_run_in_worker, seed) for seed in seeds]
            try:
                for done in as_completed(under_way):
                    yield done.result()
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ledgers(folder: Path) -> Iterator[Ledgers]:
    """A PostgreSQL for runs in this process, whose service logs into the folder."""
    os.environ["LOG_FILE"] = str(folder / "service.jsonl")
    with Ledgers(folder / "postgres") as made:
        yield made


def _start_worker(folder: Path) -> None:
    global _ledgers
    mine = folder / f"worker-{os.getpid()}"
    mine.mkdir(mode=0o711)
    stack = ExitStack()
    _ledgers = stack.enter_context(ledgers(mine))
    Finalize(None, stack.close, exitpriority=10)  # a worker knows no atexit


def _run_in_worker(seed: int) -> Result:
    assert _ledgers is not None
    try:
        return run_seed(seed, _ledgers)
    except Exception as error:  # the schedule itself is at fault: say so, and go on with the others
        told = f"{type(error).__name__}: {error}"
        return Result(seed, violations=[Violation("the run itself failed", told)])
