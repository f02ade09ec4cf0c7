"""The local API Gateway: a Starlette application whose routes come from template.yaml."""

import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.convertors import StringConvertor
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, Router

from local.events import Response, Scope, to_event, to_response
from local.functions import LocalFunction, TimeLimitError
from local.template import DEFAULT_ROUTE
from local.template import Route as TemplateRoute

BODY_BYTES_MAX = 1_000_000

_JSON = {"content-type": "application/json"}


class ClientGoneError(Exception):
    """The client left in the middle of its request, and so has not asked for anything."""


class Invoke:
    """A plain ASGI callable that turns one request into one invocation of one function."""

    def __init__(self, function: LocalFunction, route_key: str) -> None:
        self._function = function
        self._route_key = route_key

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        try:
            body = await _read_body(scope, receive)
        except ClientGoneError:
            return
        status, headers, content = (
            _failure(413, "too_large", "the body is too large")
            if body is None
            else await self.respond(scope, body)
        )
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def respond(self, scope: Scope, body: bytes) -> Response:
        """Invoke the function with the event of a request: status, headers, body."""
        event = to_event(scope, body, route_key=self._route_key)
        try:
            return to_response(await self._function.invoke(event))
        except TimeLimitError:
            return _failure(503, "unavailable", "the request took too long, send it again")
        except Exception:
            # The function has a place to log its faults; what escapes it is ours to log.
            from flashsale.logs import logger

            logger().exception("function failed", extra={"function": self._function.spec.name})
            return _failure(500, "internal", "internal error")


class Gateway(Starlette):
    """Starlette without its middleware, since every route answers its own errors; a path without
    parameters is looked up before any pattern is tried. Both cost as much as parsing the request.
    """

    def __init__(self, routes: list[Route], exact: dict[tuple[str, str], Invoke]) -> None:
        """`exact` has the endpoint of a method and a path, where no pattern could come before."""
        super().__init__(routes=routes, lifespan=_lifespan)
        self.router.redirect_slashes = False
        self.exact = exact

    def build_middleware_stack(self) -> Router:
        return self.router

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            endpoint = self.exact.get((scope["method"], scope["path"]))
            if endpoint is not None:
                await endpoint(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def application(functions: list[LocalFunction]) -> Gateway:
    """Make the application: every HTTP route of every function, most specific first."""
    invocations = [
        (route, Invoke(function, route.key))
        for function in functions
        for route in function.spec.routes
    ]
    ordered = sorted(invocations, key=lambda each: _rank(each[0]))
    nothing = _route(TemplateRoute("ANY", DEFAULT_ROUTE), _not_found)
    return Gateway(
        routes=[*(_route(route, invoke) for route, invoke in ordered), nothing],
        exact={
            (route.method, route.path): invoke
            for route, invoke in invocations
            if route.method not in ("ANY", "HEAD") and _is_exact(route.path)
        },
    )


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    from flashsale import bootstrap

    yield
    await bootstrap.close()


def _route(route: TemplateRoute, endpoint: Any) -> Route:
    """A route that matches as API Gateway does. Starlette's own would end before a line break,
    serve GET for HEAD, and let a greedy parameter be empty."""
    made = Route("/", endpoint)
    made.methods = None if route.method == "ANY" else {route.method}
    made.path_regex = _pattern(route.path)
    made.param_convertors = {name: StringConvertor() for name in made.path_regex.groupindex}
    return made


def _pattern(path: str) -> re.Pattern[str]:
    if path == DEFAULT_ROUTE:
        return re.compile("")

    def parameter(found: re.Match[str]) -> str:
        return f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"

    pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", parameter, re.escape(path))
    return re.compile(pattern + r"\Z", re.DOTALL)


def _is_exact(path: str) -> bool:
    return "{" not in path and path != DEFAULT_ROUTE


def _rank(route: TemplateRoute) -> tuple[Any, ...]:
    """Sorts routes as API Gateway tries them: full matches, greedy ones, $default; of two alike,
    the one that has fewer parameters, or has them later, or names its method."""
    if route.path == DEFAULT_ROUTE:
        return (2,)
    parts = [
        2 if part.endswith("+}") else 1 if part.startswith("{") else 0
        for part in route.path.split("/")
    ]
    return (int(2 in parts), parts, route.method == "ANY")


async def _read_body(scope: Scope, receive: Any) -> bytes | None:
    """The request's body; None if it is longer than we take. Most requests have none at all, and
    asking the server for it costs as much as parsing the request.

    Raises:
        ClientGoneError: what came of it is not all of it.
    """
    if not any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
        return b""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += bytes(message.get("body", b""))
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body"):
            return body


async def _not_found(request: Request) -> JSONResponse:
    """What API Gateway itself says where no route matches."""
    return JSONResponse({"message": "Not Found"}, 404)


def _failure(status: int, error: str, message: str) -> Response:
    told = {"success": False, "error": error, "message": message}
    headers = _JSON | {"retry-after": "1"} if status == 503 else _JSON
    return to_response({"statusCode": status, "headers": headers, "body": json.dumps(told)})
