"""A gateway that serves functions it has never heard of, from a template in a temporary folder."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from local.bounds import Bounds
from local.express import ExpressProtocol
from local.functions import load_functions
from local.gateway import application
from local.protocol import BoundedProtocol
from local.serve import configuration, listen
from local.template import Template

ECHO = "def handler(event, context):\n    return [event['routeKey'], event.get('pathParameters')]\n"

Add = Callable[..., None]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Adds a function to the temporary template, as `adding` does."""
    return adding(tmp_path)


def adding(target: Path) -> Add:
    """Adds a function to a folder's template. `event` is what its routes are given besides path and
    method, `api` the properties of their HTTP API."""
    resources: dict[str, Any] = {}

    def add(
        name: str,
        *routes: str,
        code: str = ECHO,
        event: dict[str, Any] | None = None,
        api: dict[str, Any] | None = None,
        **properties: Any,
    ) -> None:
        if api is not None:
            resources["Api"] = {"Type": "AWS::Serverless::HttpApi", "Properties": api}
        of = {"ApiId": {"Ref": "Api"}} if "Api" in resources else {}
        folder = target / "functions" / name.lower()
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(code)
        events = {}
        for number, route in enumerate(routes):
            method, _, path = route.rpartition(" ")
            place = {"Method": method or "ANY", "Path": path, **of, **(event or {})}
            events[f"Route{number}"] = {"Type": "HttpApi", "Properties": place}
        properties |= {"CodeUri": f"functions/{name.lower()}", "Handler": "app.handler"}
        resources[name] = {
            "Type": "AWS::Serverless::Function",
            "Properties": {**properties, "Events": events},
        }
        (target / "template.yaml").write_text(json.dumps({"Resources": resources}))

    return add


@contextlib.asynccontextmanager
async def serving(
    folder: Path,
    http: type[BoundedProtocol] = ExpressProtocol,
    bounds: Bounds | None = None,
    **settings: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """Serves the folder's template on a free port, as local.serve does but for `settings`, which
    are uvicorn's."""
    template = Template.read(folder / "template.yaml")
    config = configuration(
        application(load_functions(template), template.api), bounds or Bounds(), http
    )
    vars(config).update(settings)
    server, listener = uvicorn.Server(config), listen("127.0.0.1", 0)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            yield client
    finally:
        server.should_exit = True
        await running
