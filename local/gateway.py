"""The local API Gateway: a Starlette application whose routes come from template.yaml.

What a route asks for beyond its function (a throttle, an authorizer, CORS, a stage) is decided when
the application is made: a plain route gets an `Invoke`, and pays for nothing else.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Send

from local.cors import Cors, is_preflight
from local.events import Scope
from local.guarded import Authorizers, Guarded, Throttled, preflight
from local.httpapi import HttpApi
from local.invoke import Bodies, answer, says
from local.invoke import Invoke as Invoke  # what the express lane finds in `exact`
from local.routing import GatewayRoute, is_exact, rank, stage_prefix
from local.runtime.function import Function
from local.template import DEFAULT_ROUTE
from local.template import Route as TemplateRoute
from local.throttle import Bucket


class Gateway(Starlette):
    """Starlette without its middleware, since every route answers its own errors; a path without
    parameters is looked up before any pattern is tried. Both cost as much as parsing the request.
    """

    def __init__(self, routes: list[BaseRoute], exact: dict[tuple[str, str], Invoke]) -> None:
        """`exact` has the endpoint of a method and a path, where no pattern could come before."""
        super().__init__(routes=routes, lifespan=_lifespan)
        self.router.redirect_slashes = False
        self.exact = exact

    def become(self, other: "Gateway") -> None:
        """Serve what another one would. Requests under way end as they began."""
        vars(self).update(vars(other))

    def build_middleware_stack(self) -> Router:
        return self.router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            endpoint = self.exact.get((scope["method"], scope["path"]))
            if endpoint is not None:
                await endpoint(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def application(
    functions: Sequence[Function], api: HttpApi | None = None, *, processes: int = 1
) -> Gateway:
    """Make the application: every HTTP route of every function, most specific first. `processes`
    is how many serve it together, and share its throttles."""
    api = api or HttpApi()
    prefix, bodies, authorizers = stage_prefix(api.stage), Bodies(), Authorizers()

    def endpoint(function: Function, route: TemplateRoute) -> Invoke:
        throttle = route.guard.throttle
        bucket = Bucket(throttle, processes=processes) if throttle else None
        if Guarded.is_needed(function, route, api):
            return Guarded(function, route, api, bodies, authorizers, bucket)
        if bucket:
            return Throttled(function, route.key, bodies, bucket)
        return Invoke(function, route.key, bodies)

    endpoints = [
        (route, endpoint(function, route))
        for function in functions
        for route in function.spec.routes
    ]
    ordered = sorted(endpoints, key=lambda each: rank(each[0]))
    nothing = TemplateRoute("ANY", DEFAULT_ROUTE)
    return Gateway(
        routes=[
            *(GatewayRoute(route, invoke, prefix) for route, invoke in ordered),
            GatewayRoute(nothing, NotFound(api.cors)),
        ],
        exact={
            (route.method, prefix + route.path): invoke
            for route, invoke in endpoints
            if route.method not in ("ANY", "HEAD") and is_exact(route.path)
        },
    )


class NotFound:
    """What API Gateway itself says where no route matches."""

    def __init__(self, cors: Cors | None) -> None:
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._cors is not None and is_preflight(scope["method"], scope["headers"]):
            await answer(send, preflight(self._cors, scope))
        else:
            await answer(send, says(404, "Not Found"))


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    from flashsale import bootstrap

    yield
    await bootstrap.close()
