"""The log of functions that run elsewhere, and of Lambda itself: a JSON object a line."""

import os
import re
import sys
import time

import orjson

_LEVEL = re.compile(r"\[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\]")


class Log:
    """Appends to a file, or to standard output if there is none. The file may be moved away by
    others at any time: it is opened for each piece."""

    def __init__(self, file: str) -> None:
        self._file = file

    def output(self, lines: list[bytes], *, function: str) -> None:
        """Write what a function's process has put out, lines without their breaks. What is a JSON
        object stays as it is; other text becomes one's message."""
        self._write(
            [
                line if _is_object(line) else _object(_text(line), function=function)
                for line in lines
                if line.strip()
            ]
        )

    def platform(self, messages: list[str], *, function: str, request_id: str) -> None:
        """Write lines that Lambda itself would have written."""
        self._write([_object(each, function=function, request_id=request_id) for each in messages])

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        data = b"\n".join([*lines, b""])
        if not self._file:
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
            return
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)


def _text(line: bytes) -> str:
    # Lambda's runtime parts the lines of one message by carriage returns.
    return line.decode("utf-8", "replace").rstrip("\r").replace("\r", "\n")


def _is_object(line: bytes) -> bool:
    if not line.startswith(b"{"):
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _object(message: str, **fields: str) -> bytes:
    now = time.time()
    level = _LEVEL.match(message)
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
    told = {
        "level": level[1] if level else "INFO",
        "message": message,
        "timestamp": f"{shown},{int(now % 1 * 1_000):03d}+0000",
        **fields,
    }
    return orjson.dumps(told)
