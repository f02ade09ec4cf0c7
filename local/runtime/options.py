"""The settings of invocations, from the environment; functions themselves never see them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from local.errors import LocalError


@dataclass(frozen=True, kw_only=True)
class Options:
    """`read` takes each from the variable of its name, in capitals."""

    function_runtime: str = "local"
    """`local`: in the gateway's own process; `lambda`: in environments of their own."""
    function_concurrency: str = "off"
    """`template`: refuse what exceeds a function's ReservedConcurrentExecutions; the default of
    `lambda`. With `local` all invocations of a process share its connections, which is what a
    reservation protects."""
    function_report: str = "off"
    """`on`: START, END and REPORT of every invocation in the log."""
    lambda_environments: int = 8
    """Most environments at once, of all functions that one process serves."""
    lambda_idle_seconds: int = 300
    """How long an environment waits for another invocation."""
    async_retry_seconds: int = 1
    """Wait before the first retry of an asynchronous invocation, s; the second's is twice that."""

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Options":
        """Read and check them. Raises `LocalError`: names the variable, its value, the reason."""
        environ = os.environ if environ is None else environ
        runtime = _choice(environ, "FUNCTION_RUNTIME", ("local", "lambda"))
        limits = ("template", "off") if runtime == "lambda" else ("off", "template")
        return cls(
            function_runtime=runtime,
            function_concurrency=_choice(environ, "FUNCTION_CONCURRENCY", limits),
            function_report=_choice(environ, "FUNCTION_REPORT", ("off", "on")),
            lambda_environments=_number(environ, "LAMBDA_ENVIRONMENTS", cls, 1, 64),
            lambda_idle_seconds=_number(environ, "LAMBDA_IDLE_SECONDS", cls, 1, 86_400),
            async_retry_seconds=_number(environ, "ASYNC_RETRY_SECONDS", cls, 0, 3_600),
        )

    @property
    def is_lambda(self) -> bool:
        return self.function_runtime == "lambda"

    @property
    def limits(self) -> bool:
        return self.function_concurrency == "template"

    @property
    def reports(self) -> bool:
        return self.function_report == "on"


def _choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The variable's value; the first choice is the default."""
    value = environ.get(name) or choices[0]
    if value not in choices:
        raise LocalError(f"{name} is {value!r}, which is not one of {', '.join(choices)}")
    return value


def _number(
    environ: Mapping[str, str], name: str, options: type[Options], low: int, high: int
) -> int:
    text = environ.get(name) or str(getattr(options, name.lower()))
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
    if not low <= value <= high:
        raise LocalError(f"{name} is {text!r}, which is not a number from {low} to {high}")
    return value
