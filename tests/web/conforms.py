"""Holds an answer of the service against its OpenAPI description."""

import functools
import json
import re
from typing import Any

import httpx
from flashsale.web.openapi import document
from jsonschema import Draft202012Validator, FormatChecker


def conforms(reply: httpx.Response) -> None:
    """Assert that an answer is one that the description has. What is asked of a path or by a method
    that it does not have is 404 or 405, which is not an operation's answer."""
    found = responses(reply.request.method, reply.request.url.path)
    if found is None or reply.status_code == 405:
        return
    known = found.get(str(reply.status_code))
    where = f"{reply.request.method} {reply.request.url.path}: {reply.status_code}"
    assert known is not None, f"{where} is not described"
    for name, header in known.get("headers", {}).items():
        assert name in reply.headers or not header.get("required"), f"{where} lacks {name}"
    if "content" not in known:
        assert reply.content == b"", f"{where} has a body"
        return
    kind = reply.headers["content-type"].partition(";")[0]
    assert kind in known["content"], f"{where} is {kind}"
    if kind == "application/json":
        Draft202012Validator(
            known["content"][kind]["schema"], format_checker=FormatChecker()
        ).validate(reply.json())


def responses(method: str, path: str) -> dict[str, Any] | None:
    """The described answers of an operation; None if there is no such operation."""
    for pattern, methods in _paths():
        if pattern.fullmatch(path) and method.lower() in methods:
            found: dict[str, Any] = methods[method.lower()]["responses"]
            return found
    return None


@functools.cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    paths = json.loads(document())["paths"]
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), told) for path, told in paths.items()]
