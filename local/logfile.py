"""The service's log file: kept small, read from its end, and followed."""

import io
import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

BYTES_MAX = 64_000_000
KEPT = 3
LOOK_SECONDS = 0.2
_BLOCK_BYTES = 1 << 20

Test = Callable[[str], bool]


def rotate(log: Path, *, bytes_max: int = BYTES_MAX) -> None:
    """Move a log that has grown large aside, and forget the oldest. Its writers reopen it."""
    if not log.exists() or log.stat().st_size < bytes_max:
        return
    for number in range(KEPT - 1, 0, -1):
        older = _older(log, number)
        if older.exists():
            older.replace(_older(log, number + 1))
    log.replace(_older(log, 1))


def tail(
    log: Path,
    *,
    lines: int | None,
    follow: bool,
    wanted: Test = lambda line: True,
    too_old: Test = lambda line: False,
) -> Iterator[str]:
    """The last lines that are wanted, all for `None`, also from files that were rotated away; then,
    if followed, each new one, through rotations too. Looking back ends at a line that is too old.
    """
    with log.open("rb") as file:
        end = _end_of_lines(file)
        last = islice(filter(wanted, _until(too_old, _backwards(log, file, end))), lines)
        yield from reversed(list(last))
        if not follow:
            return
        file.seek(end)
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace")
        yield from filter(wanted, _new_lines(text, log))
    while follow:
        while not log.exists():
            time.sleep(LOOK_SECONDS)
        with log.open(encoding="utf-8", errors="replace") as next_file:
            yield from filter(wanted, _new_lines(next_file, log))


def _older(log: Path, number: int) -> Path:
    return log.with_suffix(f".jsonl.{number}")


def _until(ends: Test, lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if ends(line):
            return
        yield line


def _backwards(log: Path, file: io.BufferedReader, end: int) -> Iterator[str]:
    """All lines before `end`, the newest first, then those of the files before this one."""
    yield from _lines_before(file, end)
    seen = {os.fstat(file.fileno()).st_ino}  # this one may be rotated away while we read it
    for number in range(1, KEPT + 1):
        try:
            with _older(log, number).open("rb") as older:
                inode = os.fstat(older.fileno()).st_ino
                if inode not in seen:
                    seen.add(inode)
                    yield from _lines_before(older, older.seek(0, os.SEEK_END))
        except FileNotFoundError:
            return


def _lines_before(file: io.BufferedReader, end: int) -> Iterator[str]:
    part = b""
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        file.seek(start)
        first, *whole = (file.read(end - start) + part).split(b"\n")
        for line in reversed(whole):
            if line:
                yield line.decode(errors="replace")
        part, end = first, start
    if part:
        yield part.decode(errors="replace")


def _end_of_lines(file: io.BufferedReader) -> int:
    """Where the last whole line ends; a part of one may follow."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _new_lines(file: TextIO, log: Path) -> Iterator[str]:
    """Lines as they come, until the file is rotated away and read to its end."""
    inode, part = os.fstat(file.fileno()).st_ino, ""
    while True:
        rotated = not log.exists() or log.stat().st_ino != inode
        text = file.readline()
        part += text
        if part.endswith("\n"):
            yield part.rstrip("\n")
            part = ""
        elif not text:
            if rotated:
                return
            time.sleep(LOOK_SECONDS)
