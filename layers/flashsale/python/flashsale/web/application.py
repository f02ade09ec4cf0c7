"""The storefront: a Starlette application, and its adapter for Lambda."""

import asyncio
import functools
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

from mangum import Mangum
from mangum.protocols import HTTPCycle
from starlette.applications import Starlette
from starlette.requests import Request as WebRequest
from starlette.responses import Response
from starlette.routing import Route

from flashsale import bootstrap
from flashsale.api import Function, Reply, endpoint
from flashsale.api import Response as FunctionResponse
from flashsale.request import Request
from flashsale.web import data, pages
from flashsale.web.openapi import document

SQUEEZED_FROM = 1_000  # characters; less is hardly shorter when compressed

# What every open page asks for each second goes to its function with the event as it is: twice
# through Mangum and through Starlette it would cost as much again.
OFTEN = {"/stock": data.stock}

Endpoint = Callable[[WebRequest], Awaitable[Response]]


@endpoint(query=None)
async def storefront(request: Request) -> Reply:
    return pages.show("shop", request)


@endpoint(query=None)
async def docs(request: Request) -> Reply:
    return pages.show("docs", request)


@endpoint()
async def openapi(request: Request) -> Reply:
    headers = {
        "cache-control": "no-cache",
        "content-type": "application/json",
        "x-content-type-options": "nosniff",
    }
    return pages.kept(document(), headers, request)


@endpoint()
async def asset(request: Request) -> Reply:
    _, _, version, name = request.path.split("/")
    return pages.asset(request, name=name, asked_version=version)


ROUTES: dict[str, Function[FunctionResponse]] = {
    "/": storefront,
    "/docs": docs,
    "/openapi.json": openapi,
    "/assets/{version}/{name}": asset,
    "/stock": data.stock,
    "/names": data.names,
}


def application() -> Starlette:
    """The pages as an ASGI application. Every answer passes the edge that all functions have."""
    return Starlette(
        routes=[Route(path, _page(path, function)) for path, function in ROUTES.items()]
    )


class Adapter(Mangum):
    """Invokes the application with an event, as the other functions are: called, it is the Lambda
    handler; its `invoke`, awaited by a local gateway, shares one event loop with everything else.
    """

    keeps_time = True  # each of its endpoints does

    def _setup_event_loop(self) -> None:
        """There is a loop when it is needed; importing makes none."""

    async def invoke(self, event: Any, context: Any) -> dict[str, Any]:
        """Run one invocation on the running loop."""
        often = OFTEN.get(event.get("rawPath", ""))
        if often is not None:
            return await often.invoke(event, context)
        translated = self.infer(event, context)
        cycle = HTTPCycle(translated.scope, translated.body)
        await cycle.run(self.app)
        return translated({"status": cycle.status, "headers": cycle.headers, "body": cycle.body})

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        return _process_loop().run_until_complete(self._alone(event, context))

    async def _alone(self, event: Any, context: Any) -> dict[str, Any]:
        try:
            return await self.invoke(event, context)
        finally:
            # Lambda freezes after the reply.
            await bootstrap.settled()
            bootstrap.write_out()


def handler() -> Adapter:
    """The Lambda handler of the storefront."""
    return Adapter(application(), lifespan="off")


def _page(path: str, function: Function[FunctionResponse]) -> Endpoint:
    async def answer(request: WebRequest) -> Response:
        event = {**request.scope["aws.event"], "routeKey": f"GET {path}"}
        told = await function.invoke(event, request.scope["aws.context"])
        return _response(told, "gzip" in request.headers.get("accept-encoding", ""))

    return answer


def _response(told: FunctionResponse, squeeze: bool) -> Response:
    headers, body = dict(told["headers"]), told["body"]
    content = body.encode()
    # What changes with every answer isn't worth the processor's time.
    if len(body) >= SQUEEZED_FROM and headers["cache-control"] != "no-store":
        headers["vary"] = "accept-encoding"
        if squeeze:
            headers["content-encoding"] = "gzip"
            headers["etag"] = f"W/{headers['etag']}"
            content = _squeezed(body)
    return Response(content, told["statusCode"], headers)


@functools.cache
def _process_loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@functools.lru_cache(maxsize=64)
def _squeezed(text: str) -> bytes:
    return gzip.compress(text.encode(), 9, mtime=0)
