"""Lambda's Runtime API, version 2018-06-01: what the runtime in an environment asks of us."""

import time
from collections.abc import Mapping

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.runtime.environment import Environment
from local.runtime.errors import FunctionError, Payload

VERSION = "/2018-06-01"
RESPONSE_BYTES_MAX = 6_291_556  # Lambda's own limit

_ACCEPTED = JSONResponse({"status": "OK"}, 202)


def runtime_api(environments: Mapping[int, Environment]) -> Starlette:
    """One application for all environments, which it knows by the port that they ask at."""

    def of(request: Request) -> Environment | None:
        return environments.get(request.scope["server"][1])

    async def next_invocation(request: Request) -> Response:
        environment = of(request)
        invocation = await environment.next() if environment else None
        if environment is None or invocation is None:
            return _error(410, "Ended", "This environment has ended")
        deadline = time.time() + environment.spec.timeout_seconds
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1_000)),
            "Lambda-Runtime-Invoked-Function-Arn": environment.facts.arn,
            "Content-Type": "application/json",
        }
        return Response(invocation.event, headers=headers)

    async def response(request: Request) -> Response:
        environment, request_id = of(request), request.path_params["request_id"]
        body = await request.body()
        if len(body) > RESPONSE_BYTES_MAX:
            size = f"maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."
            too_large = {
                "errorType": "Function.ResponseSizeTooLarge",
                "errorMessage": f"Response payload size exceeded {size}",
            }
            if environment:
                environment.answered(request_id, FunctionError(too_large))
            return _error(413, "RequestEntityTooLarge", f"Exceeded {size}")
        if environment is None or not environment.answered(request_id, body):
            return _unknown(request_id)
        return _ACCEPTED

    async def error(request: Request) -> Response:
        environment, request_id = of(request), request.path_params["request_id"]
        payload = await _payload(request)
        if environment is None or not environment.answered(request_id, FunctionError(payload)):
            return _unknown(request_id)
        return _ACCEPTED

    async def init_error(request: Request) -> Response:
        environment = of(request)
        if environment is not None:
            environment.failed(await _payload(request))
        return _ACCEPTED

    invocation = f"{VERSION}/runtime/invocation"
    return Starlette(
        routes=[
            Route(f"{invocation}/next", next_invocation),
            Route(f"{invocation}/{{request_id}}/response", response, methods=["POST"]),
            Route(f"{invocation}/{{request_id}}/error", error, methods=["POST"]),
            Route(f"{VERSION}/runtime/init/error", init_error, methods=["POST"]),
        ]
    )


async def _payload(request: Request) -> Payload:
    """The error that a runtime tells: a JSON object, or just its type, in a header."""
    try:
        told = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        told = None
    if isinstance(told, dict):
        return told
    kind = request.headers.get("lambda-runtime-function-error-type", "Runtime.UnknownReason")
    return {"errorType": kind, "errorMessage": ""}


def _unknown(request_id: str) -> Response:
    return _error(400, "InvalidRequestID", f"{request_id} is not under way here")


def _error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"errorType": kind, "errorMessage": message}, status)
