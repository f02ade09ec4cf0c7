"""Which route takes a request, as "Create routes for HTTP APIs" has it."""

import re
from typing import Any

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from local.httpapi import DEFAULT_STAGE
from local.template import DEFAULT_ROUTE
from local.template import Route as TemplateRoute

# Some of a path, and the parameter that follows it: `{id}`, or `{proxy+}` for all that is left.
_PART = re.compile(r"([^{]*)(?:\{([^}+]+)(\+)?\})?")


class GatewayRoute(BaseRoute):
    """One route: a method, or all of them, and a path with parameters. Its endpoint is a plain ASGI
    application."""

    def __init__(self, route: TemplateRoute, endpoint: ASGIApp, prefix: str = "") -> None:
        """`prefix` is what the stage puts before every path."""
        self.endpoint = endpoint
        self._method = None if route.method == "ANY" else route.method
        self._pattern, self._names = _pattern(route.path, prefix)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or self._method not in (None, scope["method"]):
            return Match.NONE, {}
        found = self._pattern.match(scope["path"])
        if found is None:
            return Match.NONE, {}
        return Match.FULL, {"path_params": dict(zip(self._names, found.groups(), strict=True))}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.endpoint(scope, receive, send)


def _pattern(path: str, prefix: str) -> tuple[re.Pattern[str], list[str]]:
    """What matches a route's path, and the names of its groups."""
    if path == DEFAULT_ROUTE:
        return re.compile(re.escape(prefix) + r"(?:/|\Z)" if prefix else ""), []
    names = []
    expression = re.escape(prefix)
    for literal, name, greedy in _PART.findall(path if path != "/" or not prefix else ""):
        expression += re.escape(literal)
        if name:
            names.append(name)
            expression += "(.+)" if greedy else "([^/]+)"
    if prefix and path == "/":  # with or without the slash
        expression += "/?"
    return re.compile(expression + r"\Z", re.DOTALL), names


def stage_prefix(stage: str) -> str:
    """What a stage puts before every path: nothing, if it is the default one."""
    return "" if stage == DEFAULT_STAGE else f"/{stage}"


def is_exact(path: str) -> bool:
    """Whether a route takes one path alone."""
    return "{" not in path and path != DEFAULT_ROUTE


def rank(route: TemplateRoute) -> tuple[Any, ...]:
    """Sorts routes as API Gateway tries them: full matches, greedy ones, $default; of two alike,
    the one that has fewer parameters, or has them later, or names its method."""
    if route.path == DEFAULT_ROUTE:
        return (2,)
    parts = [
        2 if part.endswith("+}") else 1 if part.startswith("{") else 0
        for part in route.path.split("/")
    ]
    return (int(2 in parts), parts, route.method == "ANY")
