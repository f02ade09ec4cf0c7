"""Ctrl-C while there is nothing to clean up yet."""

import os
import signal
from types import FrameType

INTERRUPTED = 130


def exit_at_once() -> None:
    """From now on SIGINT ends the process, without a word. Python's own way is an exception in the
    middle of whatever is being imported, which shows a traceback or is swallowed there. One that
    came before, and was held back by launch.sh, ends it here."""
    signal.signal(signal.SIGINT, _exit)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def raise_again() -> None:
    """From now on SIGINT is `KeyboardInterrupt`, as Python has it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
