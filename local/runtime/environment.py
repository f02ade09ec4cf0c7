"""One execution environment: a process under Lambda's runtime, which runs one invocation at a time.

It starts, asks for an invocation, answers it, asks for the next; until it is ended, ends by itself,
or takes longer than its function may.
"""

import asyncio
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from local.runtime.context import Facts
from local.runtime.errors import FunctionError, Payload, TimeLimitError, ended
from local.runtime.layout import Layout
from local.runtime.log import Log
from local.runtime.process import WatchedProcess
from local.runtime.report import Report, end_line, start_line
from local.runtime.variables import command, lambda_variables
from local.template import FunctionSpec

# Lambda gives an initialization 10 s, and then once more, within the function's own time.
INIT_SECONDS_MAX = 10.0


@dataclass(slots=True)
class Invocation:
    """An event on its way to an environment; `result` will be JSON, or an exception."""

    event: bytes
    request_id: str
    result: asyncio.Future[bytes]
    since: float = field(default_factory=time.monotonic)


class Owner(Protocol):
    """Who gives an environment its work."""

    def has_asked(self, environment: "Environment") -> None:
        """It is ready for an invocation: the first one, or another."""

    def has_failed(self, environment: "Environment", payload: Payload) -> None:
        """It has ended before it was ready."""

    def has_ended(self, environment: "Environment") -> None:
        """Its process is gone."""


class Environment:
    """`port` is that of its own Runtime API on loopback."""

    def __init__(
        self,
        spec: FunctionSpec,
        layout: Layout,
        *,
        port: int,
        given: Mapping[str, str],
        owner: Owner,
        log: Log,
        reports: bool,
    ) -> None:
        self.spec = spec
        self.port = port
        self.is_ready = False
        self.is_used = False
        self.is_ending = False
        self.idle_since = self._started = time.monotonic()
        self.facts = Facts.of(
            spec.name, memory_mb=spec.memory_mb, timeout_seconds=spec.timeout_seconds
        )
        self._owner, self._log, self._reports = owner, log, reports
        self._loop = asyncio.get_running_loop()
        self._asked: asyncio.Future[Invocation | None] | None = None
        self._current: Invocation | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._handed = 0.0
        self._init_ms: float | None = None
        self._used_mb = 0
        own = lambda_variables(spec, self.facts, layout, runtime_api=f"127.0.0.1:{port}")
        self._process = WatchedProcess(
            command(spec),
            folder=layout.task,
            environment={**given, **own},
            on_lines=lambda lines: log.output(lines, function=spec.name),
            on_exit=self._has_ended,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    async def next(self) -> Invocation | None:
        """The runtime asks for an invocation: wait for one. None if it is to end."""
        if not self.is_ready:
            self.is_ready = True
            self._init_ms = (time.monotonic() - self._started) * 1_000
        self._asked = self._loop.create_future()
        self.idle_since = time.monotonic()
        self._owner.has_asked(self)
        return await self._asked

    def hand(self, invocation: Invocation) -> None:
        """Give it an invocation, for which it has asked."""
        assert self._asked is not None  # noqa: S101 - the owner's bookkeeping
        self._current, self._handed = invocation, time.monotonic()
        self.is_used = True
        self._timer = self._loop.call_later(self.spec.timeout_seconds, self._out_of_time)
        if self._reports:
            self._tell([start_line(invocation.request_id)], invocation)
        self._asked.set_result(invocation)

    def answered(self, request_id: str, outcome: bytes | Exception) -> bool:
        """The runtime has an outcome for an invocation: False if that is not its current one."""
        invocation = self._current
        if invocation is None or invocation.request_id != request_id:
            return False
        self._process.read()
        self._finish(outcome, "error" if isinstance(outcome, Exception) else "")
        return True

    def failed(self, payload: Payload) -> None:
        """The function could not be loaded."""
        if not self.is_ready and not self.is_ending:
            self.is_ending = True
            self._process.read()
            self._owner.has_failed(self, payload)
        self._process.kill()

    def look(self, now: float) -> None:
        """End it if it has started for too long or has more memory than its function may."""
        if not self.is_ready and now - self._started > INIT_SECONDS_MAX + self.spec.timeout_seconds:
            message = f"Initialization took {now - self._started:.2f} s"
            self.failed({"errorType": "Sandbox.Timedout", "errorMessage": message})
        elif self._current is not None:
            self._used_mb = max(self._used_mb, self._process.memory_mb())
            if self._used_mb > self.spec.memory_mb:
                self.end()

    def end(self) -> None:
        self.is_ending = True
        self._process.kill()

    def _out_of_time(self) -> None:
        self._process.read()
        self._finish(TimeLimitError(), "timeout")
        self.end()

    def _has_ended(self, status: int) -> None:
        if self._current is not None:
            payload = _why(self._current.request_id, status)
            self._finish(FunctionError(payload), "error")
        elif not self.is_ready and not self.is_ending:
            self._owner.has_failed(self, _why("", status))
        self.is_ending = True
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(None)
        self._owner.has_ended(self)

    def _finish(self, outcome: bytes | Exception, status: str) -> None:
        invocation, self._current = self._current, None
        assert invocation is not None  # noqa: S101 - whoever calls has looked
        if self._timer is not None:
            self._timer.cancel()
        if self._reports:
            self._report(invocation, status)
        if invocation.result.done():  # whoever asked has given up
            return
        if isinstance(outcome, Exception):
            invocation.result.set_exception(outcome)
        else:
            invocation.result.set_result(outcome)

    def _report(self, invocation: Invocation, status: str) -> None:
        self._used_mb = max(self._used_mb, self._process.memory_mb())
        report = Report(
            request_id=invocation.request_id,
            duration_ms=(time.monotonic() - self._handed) * 1_000,
            memory_mb=self.spec.memory_mb,
            memory_used_mb=self._used_mb,
            init_ms=self._init_ms,
            status=status,
        )
        self._init_ms = None
        self._tell([end_line(invocation.request_id), report.line], invocation)

    def _tell(self, lines: list[str], invocation: Invocation) -> None:
        self._log.platform(lines, function=self.spec.name, request_id=invocation.request_id)


def _why(request_id: str, status: int) -> Payload:
    if status < 0:
        name = signal.strsignal(-status) or f"{-status}"
        return ended(request_id, f"signal: {name.lower()}")
    return ended(request_id, f"exit status {status}")
