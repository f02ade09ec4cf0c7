"""The service's log file: kept small, and followed."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

BYTES_MAX = 64_000_000
KEPT = 3
LOOK_SECONDS = 0.2
_TAIL_BYTES = 400


def rotate(log: Path, *, bytes_max: int = BYTES_MAX) -> None:
    """Move a log that has grown large aside, and forget the oldest. Its writers reopen it."""
    if not log.exists() or log.stat().st_size < bytes_max:
        return
    for number in range(KEPT - 1, 0, -1):
        older = log.with_suffix(f".jsonl.{number}")
        if older.exists():
            older.replace(log.with_suffix(f".jsonl.{number + 1}"))
    log.replace(log.with_suffix(".jsonl.1"))


def tail(log: Path, *, lines: int, follow: bool) -> Iterator[str]:
    """The last lines of a log, then, if followed, each new one, through rotations too."""
    with log.open(encoding="utf-8", errors="replace") as file:
        size = log.stat().st_size
        start = max(0, size - lines * _TAIL_BYTES)
        file.seek(start)
        last = file.read().splitlines()
        yield from last[1 if start else 0 :][-lines:] if lines else []
        if not follow:
            return
        yield from _new_lines(file, log)
    while follow:
        while not log.exists():
            time.sleep(LOOK_SECONDS)
        with log.open(encoding="utf-8", errors="replace") as file:
            yield from _new_lines(file, log)


def _new_lines(file: TextIO, log: Path) -> Iterator[str]:
    """Lines as they come, until the file is rotated away."""
    inode, part = os.fstat(file.fileno()).st_ino, ""
    while True:
        text = file.readline()
        part += text
        if part.endswith("\n"):
            yield part.rstrip("\n")
            part = ""
        elif not text:
            if not log.exists() or log.stat().st_ino != inode:
                return
            time.sleep(LOOK_SECONDS)
