"""Structured log lines: one JSON object a line, with fields we chose and none from a client."""

import asyncio
import contextlib
import functools
import logging
import sys
import time
from collections.abc import Callable
from logging.handlers import WatchedFileHandler
from typing import Any

import orjson
from aws_lambda_powertools import Logger

from flashsale.config import Settings

_FLUSH_SECONDS = 0.05


@functools.cache
def logger() -> Logger:
    """The service's logger, to standard output or, if LOG_FILE is set, to that file.

    Pass fields by `extra=`: keys that are appended would leak between requests that share a loop.
    """
    return Logger(
        service="flashsale",
        level=Settings.read().log_level,
        logger_handler=_handler(),
        log_uncaught_exceptions=False,
        utc=True,
    )


@functools.cache
def _handler() -> "logging.StreamHandler[Any]":
    log_file = Settings.read().log_file
    if log_file:
        # Reopened when somebody else has rotated the file away.
        return WatchedFileHandler(log_file, encoding="utf-8")
    return logging.StreamHandler(sys.stdout)


class Lines:
    """Lines of the log that are written together, 50 ms late at most: a write each would cost as
    much as a checkout."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def add(self, line: bytes) -> None:
        """Write a line, without its line break, soon or by `flush`."""
        if not self._waiting:
            later(_FLUSH_SECONDS, self.flush)
        self._waiting.append(line)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        handler = _handler()
        handler.acquire()
        try:
            if isinstance(handler, WatchedFileHandler):
                handler.reopenIfNeeded()
            handler.stream.write(b"\n".join([*waiting, b""]).decode())
            handler.flush()
        finally:
            handler.release()


@functools.cache
def lines() -> Lines:
    return Lines()


def later(seconds: float, flush: Callable[[], None]) -> None:
    """Flush on the running event loop; where there is none, whoever notes something flushes."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop().call_later(seconds, flush)


class RequestLog:
    """The line of each request, shaped as Powertools' formatter shapes it: that one is ready for
    anything, and takes as long as a whole checkout."""

    def __init__(self) -> None:
        self._enabled = logger().log_level <= logging.INFO
        self._second, self._prefix = 0, b""

    def add(
        self,
        *,
        route: str,
        status: int,
        outcome: str,
        latency_ms: float,
        request_id: str,
        degraded: bool,
    ) -> None:
        """Note one request; written soon."""
        if not self._enabled:
            return
        fields: dict[str, str | int | float] = {
            "service": "flashsale",
            "route": route,
            "status": status,
            "outcome": outcome,
            "latency_ms": latency_ms,
            "request_id": request_id,
        }
        if degraded:
            fields["degraded"] = True
        lines().add(self._head() + orjson.dumps(fields)[1:])

    def _head(self) -> bytes:
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            told = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
            self._prefix = f'{{"level":"INFO","message":"request","timestamp":"{told},'.encode()
        return b'%b%03d+0000",' % (self._prefix, now % 1 * 1_000)


@functools.cache
def request_log() -> RequestLog:
    return RequestLog()
