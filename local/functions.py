"""Makes the template's functions ready to be invoked: in this process, side by side, or in
environments of their own."""

import asyncio
import dataclasses
import importlib.util
import inspect
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from local.runtime.context import Context, Facts
from local.runtime.errors import TimeLimitError as TimeLimitError  # where its readers look for it
from local.runtime.function import Event, Function
from local.runtime.options import Options
from local.template import FunctionSpec, Template, TemplateError

# Settings of this process that would be wrong in an environment: its log is its standard output.
_NOT_THEIRS = frozenset(("LOG_FILE", "HOST", "PORT", "WORKERS", "DATA_DIR"))


class LocalFunction:
    """A loaded function. An asynchronous one shares the loop; a plain handler gets a thread."""

    def __init__(self, spec: FunctionSpec) -> None:
        self.spec = spec
        self._facts = Facts.of(
            spec.name, memory_mb=spec.memory_mb, timeout_seconds=spec.timeout_seconds
        )
        handler = _load(spec)
        # Ours answer in time by themselves; another timer each would be for nothing.
        self._keeps_time = bool(getattr(handler, "keeps_time", False))
        self._invoke: Callable[[Event, Any], Awaitable[Any]] = getattr(
            handler, "invoke", None
        ) or _in_thread(handler)

    async def invoke(self, event: Event, request_id: str = "") -> Any:
        """Run one invocation, under a request id of its own if none is given.

        Raises:
            TimeLimitError: it took longer than the template allows.
            Exception: whatever the function raised.
        """
        context = Context(self._facts, request_id)
        if self._keeps_time:
            return await self._invoke(event, context)
        limit = asyncio.timeout(self.spec.timeout_seconds)
        try:
            async with limit:
                return await self._invoke(event, context)
        except TimeoutError as late:
            if limit.expired():
                raise TimeLimitError from late
            raise

    async def close(self) -> None:
        """Nothing was started for it."""


def load_functions(template: Template, options: Options | None = None) -> list[Function]:
    """Make every function of the template ready, with the template's layers on the path. How they
    run is said by `options`, read from the environment if not given.

    Raises:
        TemplateError: a function can't be found.
        LocalError: an option is wrong, or can't be had here.
    """
    options = options or Options.read()
    for layer in template.layers:
        if str(layer) not in sys.path:
            sys.path.insert(0, str(layer))
    functions = _elsewhere(template, options) if options.is_lambda else _here(template, options)
    return [_reserved(each) for each in functions] if options.limits else functions


def _here(template: Template, options: Options) -> list[Function]:
    functions: list[Function] = []
    for spec in template.functions:
        started = time.perf_counter()
        function = LocalFunction(spec)
        if options.reports:
            from local.runtime.log import Log
            from local.runtime.report import Reported

            init_ms = (time.perf_counter() - started) * 1_000
            log = Log(os.environ.get("LOG_FILE", ""))
            functions.append(Reported(function, log=log, init_ms=init_ms))
        else:
            functions.append(function)
    return functions


def _elsewhere(template: Template, options: Options) -> list[Function]:
    # Imported here: who does without environments need not wait for what they need.
    from flashsale.config import Settings

    from local.environment import ROOT, data_folder
    from local.runtime.lambda_function import LambdaFunction
    from local.runtime.layout import lay_out
    from local.runtime.log import Log
    from local.runtime.pool import Pool

    settings = {field.name.upper() for field in dataclasses.fields(Settings)}
    build = data_folder(os.environ) / "build"
    pool = Pool(
        template,
        lay_out(template, root=ROOT, folder=build),
        options=options,
        log=Log(os.environ.get("LOG_FILE", "")),
        settings=settings - _NOT_THEIRS,
    )
    return [LambdaFunction(spec, pool) for spec in template.functions]


def _reserved(function: Function) -> Function:
    if function.spec.reserved is None:
        return function
    from local.environment import data_folder
    from local.runtime.reserved import Reserved

    folder: Path = data_folder(os.environ) / "concurrency"
    return Reserved(function, count=function.spec.reserved, folder=folder)


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
