"""Invocations behind what a template asks of API Gateway itself: throttle, authorizer, CORS, stage
and integration timeout."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from local.cors import Cors, is_preflight
from local.events import Response, Scope, require_payload, to_event, to_response
from local.httpapi import DEFAULT_STAGE, Guard, HttpApi, JwtAuthorizer
from local.invoke import Bodies, Invoke, RefusedError, says
from local.runtime.function import Function
from local.template import Route
from local.throttle import Bucket

if TYPE_CHECKING:
    from local.authorizer import Authorizer


class Authorizers:
    """One authorizer, with one set of keys, for all routes that name it."""

    def __init__(self) -> None:
        self._made: dict[JwtAuthorizer, Authorizer] = {}

    def get(self, spec: JwtAuthorizer | None) -> "Authorizer | None":
        """The authorizer that a template describes."""
        if spec is None:
            return None
        from local.authorizer import Authorizer  # cryptography is large: only where it is needed

        return self._made.setdefault(spec, Authorizer(spec))


class Throttled(Invoke):
    """`Invoke`, for a route that has a throttle and nothing else: a bucket to look at, and not a
    coroutine more."""

    def __init__(self, function: Function, route: str, bodies: Bodies, bucket: Bucket) -> None:
        super().__init__(function, route, bodies)
        self._bucket = bucket

    def respond(self, scope: Scope, body: bytes) -> Coroutine[Any, Any, Response]:
        return super().respond(scope, body) if self._bucket.take() else _too_many()


class Guarded(Invoke):
    """`Invoke`, for a route with any of the others, or all of them."""

    def __init__(
        self,
        function: Function,
        route: Route,
        api: HttpApi,
        bodies: Bodies,
        authorizers: Authorizers,
        bucket: Bucket | None,
    ) -> None:
        super().__init__(function, route.key, bodies)
        guard = route.guard
        self._api = api
        self._scopes = guard.scopes
        self._bucket = bucket
        self._authorizer = authorizers.get(guard.authorizer)
        self._seconds_max = guard.timeout_ms / 1_000 if _may_be_late(function, guard) else None
        self._late: set[asyncio.Future[Any]] = set()

    @staticmethod
    def is_needed(function: Function, route: Route, api: HttpApi) -> bool:
        """Whether the route has more to guard it than a throttle."""
        guard = route.guard
        return bool(
            guard.authorizer
            or api.cors
            or api.stage != DEFAULT_STAGE
            or api.variables
            or _may_be_late(function, guard)
        )

    async def respond(self, scope: Scope, body: bytes) -> Response:
        try:
            return await self._respond(scope, body)
        except RefusedError as refused:
            return refused.response

    async def _respond(self, scope: Scope, body: bytes) -> Response:
        if self._bucket is not None and not self._bucket.take():
            return await _too_many()
        authorized = await self._authorized(scope)
        cors = self._api.cors
        if cors is not None and is_preflight(scope["method"], scope["headers"]):
            return preflight(cors, scope)
        event = to_event(scope, body, route_key=self._route_key)
        event["requestContext"]["stage"] = self._api.stage
        if authorized is not None:
            event["requestContext"]["authorizer"] = {"jwt": authorized}
        if self._api.variables:
            event["stageVariables"] = dict(self._api.variables)
        try:
            if body:
                require_payload(event)
            status, headers, content = to_response(await self._in_time(event))
        except RefusedError:
            raise
        except Exception as error:
            return self._failed(error)
        if cors is not None:
            headers = cors.applied(scope["headers"], headers)
        return status, headers, content

    async def _authorized(self, scope: Scope) -> dict[str, Any] | None:
        """What the authorizer tells the function of who asks; None without one."""
        if self._authorizer is None:
            return None
        from local.authorizer import ForbiddenError, UnauthorizedError

        headers, query = scope["headers"], scope["query_string"]
        try:
            return await self._authorizer.authorize(headers, query, self._scopes)
        except UnauthorizedError as error:
            told = f'Bearer scope="" error="invalid_token" error_description="{error}"'
            asked = told if str(error) else "Bearer"
            raise RefusedError(401, "Unauthorized", _asks(asked)) from None
        except ForbiddenError:
            asked = f'Bearer scope="{" ".join(self._scopes)}" error="insufficient_scope"'
            raise RefusedError(403, "Forbidden", _asks(asked)) from None

    async def _in_time(self, event: dict[str, Any]) -> Any:
        """The function's result. If it does not come in time, API Gateway answers without it, and
        the function goes on."""
        if self._seconds_max is None:
            return await self._function.invoke(event)
        running = asyncio.ensure_future(self._function.invoke(event))
        done, _ = await asyncio.wait({running}, timeout=self._seconds_max)
        if not done:
            self._late.add(running)  # the loop itself keeps none alive
            running.add_done_callback(self._forget)
            raise RefusedError(503, "Service Unavailable")
        return running.result()

    def _forget(self, late: "asyncio.Future[Any]") -> None:
        self._late.discard(late)
        if not late.cancelled() and (error := late.exception()) is not None:
            self._failed(error)


async def _too_many() -> Response:
    return says(429, "Too Many Requests")


def preflight(cors: Cors, scope: Scope) -> Response:
    """The answer to a preflight, which no function sees."""
    return 204, cors.preflight(scope["headers"]), b""


def _may_be_late(function: Function, guard: Guard) -> bool:
    """Whether the function may take longer than the integration."""
    return function.spec.timeout_seconds * 1_000 >= guard.timeout_ms


def _asks(challenge: str) -> tuple[bytes, bytes]:
    return b"www-authenticate", challenge.encode("latin-1", "replace")
