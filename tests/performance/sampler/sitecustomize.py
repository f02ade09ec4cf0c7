"""Samples where a gateway process spends its CPU time; Python imports this file by its name, from a
folder that `tests.performance.process` puts on the path of a private service.

Every millisecond of CPU time a signal looks at the running frame. What C code takes, the event
loop's own too, counts for the Python code that it was called from or that runs next.
"""

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

SAMPLE_SECONDS = 0.001
_counts: Counter[str] = Counter()


def _look(number: int, frame: FrameType | None) -> None:
    chain = []
    while frame is not None:
        chain.append(frame.f_code.co_filename)
        frame = frame.f_back
    _counts["\n".join(chain)] += 1


def _tell(number: int, frame: FrameType | None) -> None:
    """Write down what was seen since the last time, and begin anew."""
    path = Path(os.environ["FLASHSALE_SAMPLES"]) / f"{os.getpid()}.json"
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(_counts))
    unfinished.replace(path)
    _counts.clear()


if "local.serve" in sys.orig_argv and "FLASHSALE_SAMPLES" in os.environ:
    signal.signal(signal.SIGPROF, _look)
    signal.signal(signal.SIGUSR2, _tell)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)
