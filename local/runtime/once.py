"""One invocation of one function, asked for by hand: `flashsale invoke`."""

import asyncio
import contextlib
import dataclasses
import os
import sys
import uuid
from collections.abc import Mapping
from typing import Any

from local.environment import ROOT
from local.errors import LocalError
from local.functions import load_functions
from local.runtime.errors import Payload, payload_of
from local.runtime.function import Event, Function
from local.runtime.options import Options
from local.template import FunctionSpec, Template, TemplateError


class InvocationFailedError(Exception):
    """The function failed; `payload` is what Lambda would hand back instead of a result."""

    def __init__(self, payload: Payload) -> None:
        super().__init__(payload.get("errorMessage", ""))
        self.payload = payload


def find_function(template: Template, name: str) -> FunctionSpec:
    """The function with this logical id or in this folder. Raises `LocalError`: names those there
    are."""
    for spec in template.functions:
        if name in (spec.name, spec.folder.name):
            return spec
    known = ", ".join(sorted(spec.folder.name for spec in template.functions))
    raise LocalError(f"{name!r} is no function of template.yaml: there are {known}")


def invoke_once(name: str, event: Event, *, environment: Mapping[str, str]) -> Any:
    """Invoke a function with the settings of `environment` and return its result, as JSON has it.
    What it logs goes to standard error, since standard output is for the result.

    Raises:
        LocalError: there is no such function, or its environment can't be had here.
        InvocationFailedError: it failed.
    """
    template = Template.read(ROOT / "template.yaml")
    spec = find_function(template, name)
    os.environ.update({**spec.environment, **environment})
    os.environ.pop("LOG_FILE", None)
    options = Options.read()
    alone = dataclasses.replace(template, functions=(spec,))
    with contextlib.redirect_stdout(sys.stderr):
        try:
            (function,) = load_functions(alone, options)
        except (LocalError, TemplateError):
            raise
        except Exception as error:  # the function's own code, at its import
            raise InvocationFailedError(payload_of(error)) from error
        return asyncio.run(_invoke(function, event))


async def _invoke(function: Function, event: Event) -> Any:
    request_id = str(uuid.uuid4())
    try:
        return await function.invoke(event, request_id)
    except Exception as error:
        seconds = function.spec.timeout_seconds
        payload = payload_of(error, request_id=request_id, seconds=seconds)
        raise InvocationFailedError(payload) from error
    finally:
        await function.close()
        if bootstrap := sys.modules.get("flashsale.bootstrap"):  # it has connected to stores
            await bootstrap.close()
