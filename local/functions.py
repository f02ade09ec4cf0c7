"""Loads the template's functions into this process and invokes them side by side."""

import asyncio
import importlib.util
import inspect
import json
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.template import FunctionSpec, Template, TemplateError

Event = Mapping[str, Any]


@dataclass(slots=True)
class Context:
    """What Lambda hands a function beside the event."""

    function_name: str
    memory_limit_in_mb: int
    timeout_seconds: int
    function_version: str = "$LATEST"
    _started: float = field(default_factory=time.monotonic)
    _request_id: str = ""

    @property
    def aws_request_id(self) -> str:
        if not self._request_id:  # made when asked for: most invocations never ask
            self._request_id = str(uuid.uuid4())
        return self._request_id

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:local:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        left = self.timeout_seconds - (time.monotonic() - self._started)
        return max(0, int(left * 1_000))


class TimeLimitError(TimeoutError):
    """A function took longer than the template allows; its own timeouts are its own affair."""


class LocalFunction:
    """A loaded function. An asynchronous one shares the loop; a plain handler gets a thread."""

    def __init__(self, spec: FunctionSpec) -> None:
        self.spec = spec
        handler = _load(spec)
        # Ours answer in time by themselves; another timer each would be for nothing.
        self._keeps_time = bool(getattr(handler, "keeps_time", False))
        self._invoke: Callable[[Event, Any], Awaitable[Any]] = getattr(
            handler, "invoke", None
        ) or _in_thread(handler)

    async def invoke(self, event: Event) -> Any:
        """Run one invocation.

        Raises:
            TimeLimitError: it took longer than the template allows.
            Exception: whatever the function raised.
        """
        spec = self.spec
        context = Context(spec.name, spec.memory_mb, spec.timeout_seconds)
        if self._keeps_time:
            return await self._invoke(event, context)
        limit = asyncio.timeout(spec.timeout_seconds)
        try:
            async with limit:
                return await self._invoke(event, context)
        except TimeoutError as late:
            if limit.expired():
                raise TimeLimitError from late
            raise


def load_functions(template: Template) -> list[LocalFunction]:
    """Load every function of the template, with the template's layers on the path."""
    for layer in template.layers:
        if str(layer) not in sys.path:
            sys.path.insert(0, str(layer))
    return [LocalFunction(spec) for spec in template.functions]


def plain(result: object) -> object:
    """A result as it would come back from Lambda: through JSON."""
    return json.loads(json.dumps(result))


def _load(spec: FunctionSpec) -> Any:
    """Import `app.handler` of the function's folder, under a module name of its own."""
    module_name, _, attribute = spec.handler.rpartition(".")
    file = spec.folder / f"{module_name.replace('.', '/')}.py"
    unique = f"functions.{spec.folder.name}.{module_name}"
    loader = importlib.util.spec_from_file_location(unique, file)
    if loader is None or loader.loader is None or not file.exists():
        raise TemplateError(f"{spec.name} has no file {file}")
    module = importlib.util.module_from_spec(loader)
    sys.modules[unique] = module
    loader.loader.exec_module(module)
    handler = getattr(module, attribute, None)
    if handler is None:
        raise TemplateError(f"{spec.name} has no {attribute} in {file}")
    return handler


def _in_thread(handler: Callable[[Event, Any], Any]) -> Callable[[Event, Any], Awaitable[Any]]:
    async def invoke(event: Event, context: Any) -> Any:
        result = await asyncio.to_thread(handler, event, context)
        return await result if inspect.isawaitable(result) else result

    return invoke
