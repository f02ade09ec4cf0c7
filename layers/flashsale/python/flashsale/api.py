"""The edge: events become requests, results become replies, refusals become statuses.

`@endpoint` and `@scheduled` make one object of a function. Called as `handler(event, context)` it
is the Lambda handler; its `invoke`, awaited by a local gateway, shares one event loop with every
other invocation of the process.
"""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import orjson

from flashsale import bootstrap
from flashsale.errors import (
    BodyTooLarge,
    CodeExpired,
    Fault,
    Forbidden,
    LimitExceeded,
    Malformed,
    MethodNotAllowed,
    NotFound,
    OutcomeUnknown,
    QueryTooLong,
    RateLimited,
    Refusal,
    SaleEnded,
    SoldOut,
    TryAgain,
    Unauthorized,
    Unavailable,
)
from flashsale.invocation import Invocation
from flashsale.logs import logger, request_log
from flashsale.request import Request
from flashsale.shapes import Event, as_http_api

Response = dict[str, Any]
Result = TypeVar("Result")

# The most telling class wins: a refusal's own, or the nearest above it.
STATUS: dict[type[Refusal], int] = {
    Malformed: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    SoldOut: 409,
    LimitExceeded: 409,
    CodeExpired: 410,
    SaleEnded: 410,
    BodyTooLarge: 413,
    QueryTooLong: 414,
    RateLimited: 429,
    TryAgain: 503,
}

_REPLY_SECONDS = 0.5
_SECONDS_DEFAULT = 9.5  # for whoever calls without a context

_JSON_HEADERS = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a JSON object, or text of another type. `outcome` is for the log line."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=lambda: _JSON_HEADERS)
    outcome: str = "ok"

    @classmethod
    def ok(cls, **fields: object) -> "Reply":
        """200, `{"success": true, ...}`."""
        return cls(200, _json({"success": True, **fields}))

    @classmethod
    def refused(cls, refusal: Refusal, **fields: object) -> "Reply":
        """The refusal's status, `{"success": false, "error": ..., "message": ...}`."""
        status = next(STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS)
        told = {"success": False, "error": refusal.reason, "message": refusal.message, **fields}
        headers = _JSON_HEADERS
        if isinstance(refusal, RateLimited):
            headers = {**headers, **_rate_headers(refusal)}
        elif isinstance(refusal, TryAgain):
            headers = {**headers, "retry-after": str(refusal.retry_after_seconds)}
        elif isinstance(refusal, MethodNotAllowed):
            headers = {**headers, "allow": refusal.allow}
        elif isinstance(refusal, Unauthorized):
            headers = {**headers, "www-authenticate": "Bearer"}
        return cls(status, _json(told), headers, refusal.reason)

    @classmethod
    def picture(cls, svg: str, *, etag: str, seen: str, for_ever: bool) -> "Reply":
        """An SVG: 304 if `seen`, the client's If-None-Match, names it. `for_ever` says that its
        address will never show another one."""
        headers = {
            "cache-control": "public, max-age=31536000, immutable" if for_ever else "no-cache",
            # Opened alone it is a document: nothing in it may load or run.
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
            "content-type": "image/svg+xml",
            "etag": etag,
            "x-content-type-options": "nosniff",
        }
        return cls(304, "", headers) if etag in seen else cls(200, svg, headers)

    def response(self) -> Response:
        """The shape API Gateway expects of a function."""
        return {"statusCode": self.status, "headers": self.headers, "body": self.body}


class Function(Generic[Result]):
    """A Lambda function whose body is a coroutine."""

    def __init__(
        self, run: Callable[[Event, Any], Awaitable[Result]], *, keeps_time: bool = False
    ) -> None:
        self.invoke = run
        """Run one invocation on the running loop, beside others."""
        self.keeps_time = keeps_time
        """Whether it ends within the invocation's time by itself."""

    def __call__(self, event: Event, context: Any) -> Result:
        """Run one invocation and what it left to do, as Lambda does: it freezes after the reply."""
        return _process_loop().run_until_complete(self._alone(event, context))

    async def _alone(self, event: Event, context: Any) -> Result:
        try:
            return await self.invoke(event, context)
        finally:
            await bootstrap.settled()
            bootstrap.write_out()


def endpoint(
    *, query: tuple[str, ...] | None = ()
) -> Callable[[Callable[[Request], Awaitable[Reply]]], Function[Response]]:
    """Make a function that answers HTTP requests, which may have the named query parameters.
    `query=None` takes any request, unread."""

    def decorate(handler: Callable[[Request], Awaitable[Reply]]) -> Function[Response]:
        async def run(event: Event, context: Any) -> Response:
            started = time.perf_counter()
            event = as_http_api(event)
            invocation = Invocation(_seconds_left(context))
            reply = await _answer(handler, event, query, invocation)
            request_log().add(
                route=event.get("routeKey", ""),
                status=reply.status,
                outcome=reply.outcome,
                latency_ms=round((time.perf_counter() - started) * 1_000, 2),
                request_id=event.get("requestContext", {}).get("requestId", ""),
                degraded=invocation.degraded,
            )
            return reply.response()

        return Function(run, keeps_time=True)

    return decorate


def operation(
    handler: Callable[[Event], Awaitable[Mapping[str, Any]]],
) -> Function[Mapping[str, Any]]:
    """Make a function that a schedule, a service or an operator invokes with an event. A fault
    fails the invocation, so that whoever invoked it tries again."""

    async def run(event: Event, context: Any) -> Mapping[str, Any]:
        started = time.perf_counter()
        outcome = "failed"
        try:
            result = await handler(event)
            outcome = "ok"
            return result
        finally:
            taken_ms = round((time.perf_counter() - started) * 1_000, 2)
            name = handler.__module__
            logger().info(
                "run", extra={"function": name, "outcome": outcome, "latency_ms": taken_ms}
            )

    return Function(run)


def scheduled(handler: Callable[[], Awaitable[Mapping[str, Any]]]) -> Function[Mapping[str, Any]]:
    """Make an `operation` that is the same whatever its event says."""

    @functools.wraps(handler)
    async def run(event: Event) -> Mapping[str, Any]:
        return await handler()

    return operation(run)


async def _answer(
    handler: Callable[[Request], Awaitable[Reply]],
    event: Event,
    query: tuple[str, ...] | None,
    invocation: Invocation,
) -> Reply:
    try:
        with invocation:
            return await handler(Request(event, query))
    except TimeoutError:
        logger().error("out of time", extra={"route": event.get("routeKey")})
        return Reply.refused(OutcomeUnknown("it took too long, send the same request again"))
    except Refusal as refusal:
        return Reply.refused(refusal)
    except Fault as fault:
        logger().error("store fault", extra={"route": event.get("routeKey"), "fault": str(fault)})
        return Reply.refused(Unavailable())
    except Exception:
        logger().exception("unexpected", extra={"route": event.get("routeKey")})
        told = {"success": False, "error": "internal", "message": "internal error"}
        return Reply(500, _json(told), outcome="internal")


def _rate_headers(refusal: RateLimited) -> dict[str, str]:
    """As draft-ietf-httpapi-ratelimit-headers-06 has them, and Retry-After for everybody else."""
    seconds = str(refusal.retry_after_seconds)
    return {
        "ratelimit-limit": str(refusal.burst),
        "ratelimit-remaining": "0",
        "ratelimit-reset": seconds,
        "retry-after": seconds,
    }


def _seconds_left(context: Any) -> float:
    """How long the handler may take, so that there is time to say that it took too long."""
    left_ms = getattr(context, "get_remaining_time_in_millis", None)
    return max(0.1, left_ms() / 1_000 - _REPLY_SECONDS) if left_ms else _SECONDS_DEFAULT


def _json(told: Mapping[str, object]) -> str:
    return orjson.dumps(told).decode()


@functools.cache
def _process_loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()
