"""The API as an OpenAPI 3.1 document, made from the table of its operations."""

import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from flashsale.api import STATUS
from flashsale.errors import Malformed, Refusal, TryAgain
from flashsale.web import shapes
from flashsale.web.operations import ANYWHERE, FROM_STORES, OPERATIONS, Operation

API_VERSION = "1"
ABOUT = """\
Every hour 10,000 items go on sale. A buyer checks an item out, gets a code, and buys with the code;
the first purchase of an item wins.

A failure has `success: false`, a stable word in `error` and a sentence in `message`. 4xx is final,
but for 408 and 429. After those, 5xx or no answer at all, wait as `Retry-After` says and send the
same request again; for a purchase that means the same code. New words may come: where one is
unknown, go by the status.
"""
REASONS = {
    400: "The request breaks the contract, or the code is none of ours",
    401: "A token is needed, or this one is no good",
    403: "The token is somebody else's",
    404: "There is no such item, sale or path",
    408: "The request did not arrive in time. Nothing happened: send it again",
    409: "Final: it is sold out, or the buyer has ten",
    410: "Final: this code never sells",
    413: "There was a body: parameters go in the query string",
    414: "The query string is too long",
    429: "Too often: nothing happened, send it again",
    431: "The header is too large",
    500: "Our mistake. For a purchase the outcome is open: the same code tells",
    503: "Nothing final: send the same request again",
}


@functools.cache
def document() -> str:
    """The whole document, as JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    told = {
        "openapi": "3.1.0",
        "info": {"title": "Flashsale", "version": API_VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
    }
    return json.dumps(told, indent=1)


def refusals(operation: Operation) -> dict[int, list[Refusal]]:
    """Everything that an operation may say no with, by status."""
    every = (*ANYWHERE, *operation.refusals, *(FROM_STORES if operation.asks_stores else ()))
    found: dict[int, list[Refusal]] = {}
    for each in every:
        refusal = each() if isinstance(each, type) else each
        found.setdefault(status(type(refusal)), []).append(refusal)
    return dict(sorted(found.items()))


def status(refusal: type[Refusal]) -> int:
    """The status that the edge gives to a refusal."""
    return next(STATUS[kind] for kind in refusal.__mro__ if kind in STATUS)


def _operation(operation: Operation) -> dict[str, Any]:
    responses = {"200": _ok(operation)}
    if operation.revalidates:
        responses["304"] = {"description": "The one you have is the right one"}
    by_status = refusals(operation)
    for code in sorted({*by_status, 408, 431, 500}):
        responses[str(code)] = _refused(operation, code, by_status.get(code, ()))
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.about,
        "parameters": [
            {
                "name": parameter.name,
                "in": parameter.place,
                "required": parameter.required,
                "description": parameter.about,
                "schema": parameter.schema,
                "example": parameter.example,
            }
            for parameter in operation.parameters
        ],
        "responses": responses,
    }


def _ok(operation: Operation) -> dict[str, Any]:
    content = {"schema": operation.body, "example": operation.example}
    return {"description": "Done", "content": {operation.media_type: content}}


def _refused(operation: Operation, code: int, told: Iterable[Refusal]) -> dict[str, Any]:
    examples = {refusal.reason: {"value": _body(refusal)} for refusal in told}
    if code not in STATUS.values():
        examples = {word: {"value": _told(word, REASONS[code])} for word in (_WORDS[code],)}
    schema = shapes.refusal(list(examples), dict(operation.told_with.get(code, {})))
    response: dict[str, Any] = {
        "description": REASONS[code],
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }
    if any(isinstance(refusal, TryAgain) for refusal in told):
        header = {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}
        response["headers"] = {"Retry-After": {"required": True, **header}}
    return response


# What is said before any function hears of the request, or where one fails.
_WORDS = {408: Malformed.reason, 431: "too_large", 500: "internal"}


def _body(refusal: Refusal) -> Mapping[str, Any]:
    return _told(refusal.reason, refusal.message)


def _told(word: str, message: str) -> Mapping[str, Any]:
    return {"success": False, "error": word, "message": message}
