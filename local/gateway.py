"""The local API Gateway: a Starlette application whose routes come from template.yaml."""

import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, Router

from local.events import Response, Scope, to_event, to_response
from local.functions import LocalFunction
from local.template import DEFAULT_ROUTE

BODY_BYTES_MAX = 1_000_000


class Invoke:
    """A plain ASGI callable that turns one request into one invocation of one function."""

    def __init__(self, function: LocalFunction, route_key: str) -> None:
        self._function = function
        self._route_key = route_key

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        body = await _read_body(scope, receive)
        status, headers, content = (
            _failure(413, "too_large", "the body is too large")
            if body is None
            else await self._respond(scope, body)
        )
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _respond(self, scope: Scope, body: bytes) -> Response:
        event = to_event(scope, body, route_key=self._route_key)
        try:
            return to_response(await self._function.invoke(event))
        except TimeoutError:
            return _failure(503, "unavailable", "the request took too long, send it again")
        except Exception:
            # The function has a place to log its faults; what escapes it is ours to log.
            from flashsale.logs import logger

            logger().exception("function failed", extra={"function": self._function.spec.name})
            return _failure(500, "internal", "internal error")


class Gateway(Starlette):
    """Starlette without its middleware: every route answers its own errors, and a hot path that
    passes through two wrappers for nothing costs a tenth of a checkout."""

    def build_middleware_stack(self) -> Router:
        return self.router


def application(functions: list[LocalFunction]) -> Starlette:
    """Make the application: every HTTP route of every function, most specific first."""
    routes: list[tuple[tuple[Any, ...], BaseRoute]] = []
    for function in functions:
        for route in function.spec.routes:
            path, rank = _path(route.path)
            methods = None if route.method == "ANY" else [route.method]
            made = Route(path, Invoke(function, route.key), methods=methods)
            if made.methods is not None:
                made.methods.intersection_update({route.method})  # HEAD is no GET to API Gateway
            routes.append((rank, made))
    ordered = [made for _, made in sorted(routes, key=lambda ranked: ranked[0])]
    app = Gateway(routes=ordered, lifespan=_lifespan)
    app.router.redirect_slashes = False
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    from flashsale import bootstrap

    yield
    await bootstrap.close()


def _path(template: str) -> tuple[str, tuple[Any, ...]]:
    """Starlette's spelling of a route's path, and its rank: full paths, then parameters, greedy
    ones, and $default, as API Gateway matches."""
    if template == DEFAULT_ROUTE:
        return "/{proxy:path}", (3,)
    greedy = "+}" in template
    path = re.sub(r"\{(\w+)\+\}", r"{\1:path}", template)
    return path, (2 if greedy else 1 if "{" in template else 0, -len(template))


async def _read_body(scope: Scope, receive: Any) -> bytes | None:
    """The request's body; None if it is longer than we take. Most requests have none at all, and
    asking the server for it costs as much as parsing the request."""
    if not any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
        return b""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body"):
            return body


def _failure(status: int, error: str, message: str) -> Response:
    body = json.dumps({"success": False, "error": error, "message": message}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    return status, headers, body
