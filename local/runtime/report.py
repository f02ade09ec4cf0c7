"""START, END and REPORT: the lines that Lambda writes around every invocation."""

import math
import os
import time
import uuid
from dataclasses import dataclass
from typing import Any

import psutil

from local.runtime.errors import TimeLimitError
from local.runtime.function import Event, Function
from local.runtime.log import Log
from local.template import FunctionSpec


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one invocation took. `init_ms` only if it had to wait for a cold start; `status` is
    `timeout` or `error`, and empty where all went well."""

    request_id: str
    duration_ms: float
    memory_mb: int
    memory_used_mb: int
    init_ms: float | None = None
    status: str = ""

    @property
    def line(self) -> str:
        """As Lambda writes it; the time of a cold start is billed."""
        billed = math.ceil(self.duration_ms + (self.init_ms or 0))
        fields = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {self.duration_ms:.2f} ms",
            f"Billed Duration: {billed} ms",
            f"Memory Size: {self.memory_mb} MB",
            f"Max Memory Used: {self.memory_used_mb} MB",
        ]
        if self.init_ms is not None:
            fields.append(f"Init Duration: {self.init_ms:.2f} ms")
        if self.status:
            fields.append(f"Status: {self.status}")
        return "\t".join([*fields, ""])


def start_line(request_id: str) -> str:
    return f"START RequestId: {request_id} Version: $LATEST"


def end_line(request_id: str) -> str:
    return f"END RequestId: {request_id}"


class Reported:
    """A function in this process that reports each of its invocations. The memory used is that of
    the process, most of it since its start: it has all functions."""

    def __init__(self, function: Function, *, log: Log, init_ms: float) -> None:
        self.spec: FunctionSpec = function.spec
        self._function = function
        self._log = log
        self._init_ms: float | None = init_ms
        self._process = psutil.Process(os.getpid())
        self._used_mb = 0

    async def invoke(self, event: Event, request_id: str = "") -> Any:
        request_id = request_id or str(uuid.uuid4())
        init_ms, self._init_ms = self._init_ms, None
        status, started = "", time.perf_counter()
        self._tell([start_line(request_id)], request_id)
        try:
            return await self._function.invoke(event, request_id)
        except TimeLimitError:
            status = "timeout"
            raise
        except Exception:
            status = "error"
            raise
        finally:
            taken_ms = (time.perf_counter() - started) * 1_000
            self._used_mb = max(self._used_mb, self._process.memory_info().rss // 1_048_576)
            report = Report(
                request_id=request_id,
                duration_ms=taken_ms,
                memory_mb=self.spec.memory_mb,
                memory_used_mb=self._used_mb,
                init_ms=init_ms,
                status=status,
            )
            self._tell([end_line(request_id), report.line], request_id)

    async def close(self) -> None:
        await self._function.close()

    def _tell(self, lines: list[str], request_id: str) -> None:
        self._log.platform(lines, function=self.spec.name, request_id=request_id)
