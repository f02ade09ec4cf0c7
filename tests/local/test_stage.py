"""A stage with a name, its variables, and the time an integration may take."""

import asyncio
from pathlib import Path

import pytest

from tests.local.conftest import Add, serving

CODE = """
def handler(event, context):
    asked = event["requestContext"]
    return [event["rawPath"], asked["http"]["path"], asked["stage"], event["routeKey"],
            event.get("pathParameters"), event.get("stageVariables")]
"""


@pytest.mark.parametrize(
    ("path", "route", "parameters"),
    [
        ("/test/items", "GET /items", None),
        ("/test/items/7", "GET /items/{id}", {"id": "7"}),
        ("/test/files/a/b", "GET /files/{proxy+}", {"proxy": "a/b"}),
        ("/test/", "GET /", None),
        ("/test", "GET /", None),
        ("/test/else", "$default", None),
    ],
)
async def test_a_named_stage_is_in_the_path_and_not_in_the_route(
    add: Add, tmp_path: Path, path: str, route: str, parameters: dict[str, str] | None
) -> None:
    routes = ["GET /", "GET /items", "GET /items/{id}", "GET /files/{proxy+}", "$default"]
    variables = {"table": "orders", "size": 7}
    add("All", *routes, code=CODE, api={"StageName": "test", "StageVariables": variables})
    async with serving(tmp_path) as client:
        reply = await client.get(path)
    told = {"table": "orders", "size": "7"}
    assert reply.json() == [path, path, "test", route, parameters, told]


@pytest.mark.parametrize("path", ["/items", "/", "/testing/items", "/TEST/items"])
async def test_what_is_not_of_the_stage_is_not_found(add: Add, tmp_path: Path, path: str) -> None:
    add("All", "GET /items", "$default", code=CODE, api={"StageName": "test"})
    async with serving(tmp_path) as client:
        reply = await client.get(path)
    assert (reply.status_code, reply.text) == (404, '{"message":"Not Found"}')


async def test_the_default_stage_has_no_prefix_and_no_variables(add: Add, tmp_path: Path) -> None:
    add("All", "GET /items", code=CODE, api={})
    async with serving(tmp_path) as client:
        reply = await client.get("/items")
    assert reply.json() == ["/items", "/items", "$default", "GET /items", None, None]


async def test_a_function_that_outlives_its_integration_is_503_and_goes_on(
    add: Add, tmp_path: Path
) -> None:
    """As in AWS: the gateway has hung up, Lambda has not."""
    answered, done = tmp_path / "answered", tmp_path / "done"
    code = "import asyncio, pathlib\nasync def handler(event, context):\n"
    code += f"    while not pathlib.Path({str(answered)!r}).exists():\n"
    code += "        await asyncio.sleep(0.01)\n"
    code += f"    pathlib.Path({str(done)!r}).touch()\n"
    add("Slow", "GET /slow", code=code, event={"TimeoutInMillis": 100}, Timeout=10)
    async with serving(tmp_path) as client:
        reply = await client.get("/slow")
        assert (reply.status_code, reply.text) == (503, '{"message":"Service Unavailable"}')
        answered.touch()
        while not done.exists():
            await asyncio.sleep(0.01)


async def test_a_function_that_fails_or_answers_in_time_does_so_as_without_a_limit(
    add: Add, tmp_path: Path
) -> None:
    for name, body in (("Fails", "raise RuntimeError"), ("Answers", "return 'here'")):
        code = f"async def handler(event, context):\n    {body}\n"
        add(name, f"GET /{name}", code=code, event={"TimeoutInMillis": 2_000}, Timeout=5)
    async with serving(tmp_path) as client:
        assert (await client.get("/Fails")).text == '{"message":"Internal Server Error"}'
        assert (await client.get("/Answers")).text == "here"
