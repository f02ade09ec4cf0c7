"""Which route takes a request: the most specific one, as "Create routes for HTTP APIs" has it."""

from pathlib import Path

import pytest

from tests.local.conftest import Add, serving

# The routes and the first four requests are the example of "Create routes for HTTP APIs".
PETS = ["ANY /{proxy+}", "GET /pets/{proxy+}", "GET /pets/dog/{id}", "GET /pets/dog/1", "$default"]


@pytest.mark.parametrize(
    ("method", "path", "route", "parameters"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", None),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
        ("POST", "/test/5", "ANY /{proxy+}", {"proxy": "test/5"}),
        ("GET", "/", "$default", None),
        ("POST", "/pets/dog/1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}),
        ("GET", "/pets/dog/a%20%C3%A9", "GET /pets/dog/{id}", {"id": "a é"}),
        ("GET", "/pets/dog/1%0A", "GET /pets/dog/{id}", {"id": "1\n"}),
        ("GET", "/pets/a%0Ab", "GET /pets/{proxy+}", {"proxy": "a\nb"}),
        ("GET", "/pets/dog/1/", "GET /pets/{proxy+}", {"proxy": "dog/1/"}),
        ("GET", "/pets/", "ANY /{proxy+}", {"proxy": "pets/"}),
        ("HEAD", "/pets/dog/1", "ANY /{proxy+}", None),
    ],
)
async def test_the_most_specific_route_wins(
    add: Add,
    tmp_path: Path,
    method: str,
    path: str,
    route: str,
    parameters: dict[str, str] | None,
) -> None:
    """Whatever their order in the template; HEAD is no GET, and a slash or line break counts."""
    code = (
        "import json\n"
        "def handler(event, context):\n"
        "    found = json.dumps([event['routeKey'], event.get('pathParameters')])\n"
        "    return {'statusCode': 200, 'body': found, 'headers': {'x-route': event['routeKey']}}\n"
    )
    add("Pets", *PETS, code=code)
    async with serving(tmp_path) as client:
        reply = await client.request(method, path)
    assert reply.headers["x-route"] == route
    if method != "HEAD":
        assert reply.json() == [route, parameters]


async def test_a_method_named_wins_over_any_and_a_longer_prefix_over_a_shorter(
    add: Add, tmp_path: Path
) -> None:
    add("Any", "ANY /pets", "ANY /pets/{everything_else+}")
    add("Named", "GET /pets", "GET /pets/x/{p+}", "GET /{kind}/{id}/{part}")
    async with serving(tmp_path) as client:
        assert (await client.get("/pets")).json()[0] == "GET /pets"
        assert (await client.put("/pets")).json()[0] == "ANY /pets"
        # a full match is tried before a greedy one, however many of its parts are parameters
        assert (await client.get("/pets/x/y")).json()[0] == "GET /{kind}/{id}/{part}"
        assert (await client.get("/pets/x/y/z")).json()[0] == "GET /pets/x/{p+}"


async def test_without_a_default_route_the_gateway_itself_says_not_found(
    add: Add, tmp_path: Path
) -> None:
    """For a method, too: API Gateway's HTTP APIs have no 405 of their own."""
    add("Hello", "GET /hello")
    async with serving(tmp_path) as client:
        for reply in (await client.get("/bye"), await client.post("/hello")):
            assert (reply.status_code, reply.json()) == (404, {"message": "Not Found"})
            assert reply.headers["content-type"] == "application/json"


async def test_a_parameter_may_have_any_name(add: Add, tmp_path: Path) -> None:
    """Not only one that Python would take for an identifier."""
    add("Odd", "GET /{user-id}/{1}/{a.b+}")
    async with serving(tmp_path) as client:
        found = (await client.get("/x/y/z/%2F")).json()
    assert found[1] == {"user-id": "x", "1": "y", "a.b": "z//"}
