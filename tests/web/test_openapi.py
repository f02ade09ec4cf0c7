"""/openapi.json says what the handlers do, and neither more nor less.

Every answer that the contract's tests get is held against it too, by `conforms`.
"""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from flashsale import errors
from flashsale.config import Settings
from flashsale.request import _NUMBER
from flashsale.web.openapi import document, refusals, status
from flashsale.web.operations import _NUMBER_MAX, OPERATIONS, Operation
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from local.serve import TEMPLATE
from local.template import DEFAULT_ROUTE, Template
from tests.web.conforms import conforms

PAGES = {"GET /", "GET /docs", "GET /assets/{version}/{name}", DEFAULT_ROUTE}
SPEC: dict[str, Any] = json.loads(document())

by_route = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.route)


def described(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = SPEC["paths"][operation.path][operation.method.lower()]
    return found


def test_it_is_openapi_3_1() -> None:
    assert SPEC["openapi"].startswith("3.1.")
    validate(SPEC)


def test_it_has_the_templates_routes() -> None:
    routes = {r.key for f in Template.read(TEMPLATE).functions for r in f.routes}
    assert {operation.route for operation in OPERATIONS} == routes - PAGES


@by_route
def test_an_operation_has_its_handlers_parameters(
    client: httpx.Client, operation: Operation
) -> None:
    """As the handler itself tells somebody who sends another one."""
    path = re.sub(r"\{\w+\}", "7", operation.path)
    told = client.request(operation.method, f"{path}?other=1").json()
    names = [each.name for each in operation.parameters if each.place == "query"]
    # /items/{id} shares its function with /items, which is asked first.
    if operation.name == "item":
        names = ["after", "limit"]
    takes = f"takes {', '.join(names)}" if names else "takes none"
    assert told["message"] == f"unknown parameter: this path {takes}"


@by_route
def test_a_parameter_that_is_required_is_missed(client: httpx.Client, operation: Operation) -> None:
    path = re.sub(r"\{\w+\}", "7", operation.path)
    reply = client.request(operation.method, path)
    required = [p.name for p in operation.parameters if p.required and p.place == "query"]
    if required:
        assert (reply.status_code, reply.json()["message"]) == (400, f"{required[0]} is required")
    else:
        assert reply.status_code == 200


@by_route
def test_the_examples_are_what_their_schemas_say(operation: Operation) -> None:
    for told in described(operation)["responses"].values():
        for content in told.get("content", {}).values():
            examples = [each["value"] for each in content.get("examples", {}).values()]
            examples += [content["example"]] if "example" in content else []
            assert examples
            for example in examples:
                Draft202012Validator(content["schema"]).validate(example)
    for parameter in described(operation)["parameters"]:
        Draft202012Validator(parameter["schema"]).validate(parameter["example"])


@by_route
def test_a_refusals_example_is_the_refusal(operation: Operation) -> None:
    for code, each in refusals(operation).items():
        told = described(operation)["responses"][str(code)]["content"]["application/json"]
        for refusal in each:
            assert status(type(refusal)) == code
            assert told["examples"][refusal.reason]["value"]["message"]


@by_route
def test_an_answer_is_described(client: httpx.Client, operation: Operation, buyer: str) -> None:
    """A good one, with the parameters' own examples, and a bad one."""
    path = operation.path.replace("{id}", "42")
    query: dict[str, Any] = {p.name: p.example for p in operation.parameters if p.place == "query"}
    if operation.name == "checkout":
        query["user_id"] = buyer
    if operation.name == "purchase":
        told = client.post("/checkout", params={"user_id": buyer, "id": 4_242}).json()
        query["code"] = told["checkout_code"]
    if "sale" in query:
        query["sale"] = client.get("/stock").json()["start_time"]
    good = client.request(operation.method, path, params=query)
    assert good.status_code == 200
    conforms(good)
    bad = client.request(operation.method, path, params={**query, "odd": 1})
    assert bad.status_code == 400
    conforms(bad)


def test_what_is_not_described_is_noticed() -> None:
    """The judge of all the others can say no."""
    for content in (
        b'{"success": true}',
        b'{"success": true, "checkout_code": "a", "message": ""}',
    ):
        reply = httpx.Response(
            200,
            content=content,
            headers={"content-type": "application/json"},
            request=httpx.Request("POST", "http://shop/checkout"),
        )
        with pytest.raises(Exception, match=r"is a required property|does not match"):
            conforms(reply)
    reply = httpx.Response(418, request=httpx.Request("GET", "http://shop/stats"))
    with pytest.raises(AssertionError, match="is not described"):
        conforms(reply)


def test_every_refusal_has_its_place() -> None:
    """Of each class that can be told to a client there is an example somewhere."""
    told = {r.reason for each in OPERATIONS for found in refusals(each).values() for r in found}
    classes = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.Refusal) and kind is not errors.Refusal
    ]
    assert {kind.reason for kind in classes} - told == {errors.MethodNotAllowed.reason}


def test_the_words_in_the_documentation_are_these() -> None:
    """docs/API.md's table of all statuses, and this description, know the same words."""
    text = (Path(TEMPLATE).parent / "docs/API.md").read_text(encoding="utf-8")
    table = text.partition("## All statuses and error words")[2].partition("\n## ")[0]
    in_table = set(re.findall(r"^\| (\d+) \| `(\w+)` \|", table, re.MULTILINE))
    here = {
        (code, word)
        for methods in SPEC["paths"].values()
        for operation in methods.values()
        for code, told in operation["responses"].items()
        for word in told.get("content", {}).get("application/json", {}).get("examples", {})
    }
    assert in_table - here <= {("405", "method_not_allowed")}
    assert here <= in_table


def test_numbers_are_bounded_as_the_handlers_bound_them() -> None:
    assert _NUMBER.fullmatch(str(_NUMBER_MAX))
    assert not _NUMBER.fullmatch(str(_NUMBER_MAX + 1))
    items = next(each for each in OPERATIONS if each.name == "checkout").parameters[1]
    assert items.schema["maximum"] == Settings().items_per_sale
