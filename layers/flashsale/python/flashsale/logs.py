"""Structured log lines: one JSON object a line, with fields we chose and none from a client."""

import asyncio
import functools
import json
import logging
import sys
import time
from logging.handlers import WatchedFileHandler
from typing import Any

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


class RequestLog:
    """The line of each request, shaped as Powertools' formatter shapes it.

    A formatter that is ready for anything costs as much as a whole checkout, and one write a line
    as much again: these lines have known fields and are written together, 50 ms late at most.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._enabled = logger().log_level <= logging.INFO
        self._second, self._prefix = 0, ""

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
        """Note one request; written soon, or by `flush`."""
        if not self._enabled:
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
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
        self._lines.append(f"{self._head()}{json.dumps(fields, separators=(',', ':'))[1:]}\n")

    def flush(self) -> None:
        """Write what is noted."""
        lines, self._lines = self._lines, []
        if lines:
            handler = _handler()
            handler.acquire()
            try:
                if isinstance(handler, WatchedFileHandler):
                    handler.reopenIfNeeded()
                handler.stream.write("".join(lines))
                handler.flush()
            finally:
                handler.release()

    def _head(self) -> str:
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            told = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
            self._prefix = f'{{"level":"INFO","message":"request","timestamp":"{told},'
        return f'{self._prefix}{int(now % 1 * 1_000):03}+0000",'


@functools.cache
def request_log() -> RequestLog:
    return RequestLog()
