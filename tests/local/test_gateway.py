"""The local gateway, over real sockets: what a function's answer, fault or delay becomes."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from local.bounds import Bounds
from local.events import PAYLOAD_BYTES_MAX
from local.invoke import BODIES_BYTES_MAX, BODY_BYTES_MAX
from tests.local.conftest import Add, serving

API_GATEWAYS = Bounds(body_bytes=BODY_BYTES_MAX)  # by default we stop at what Lambda carries


async def test_a_function_added_to_the_template_is_served(add: Add, tmp_path: Path) -> None:
    """And its answer, which has no status, is JSON, as API Gateway makes it."""
    code = "async def handler(event, context):\n    return {'hello': context.function_name}\n"
    add("Hello", "GET /hello", code=code)
    async with serving(tmp_path) as client:
        reply = await client.get("/hello")
    assert (reply.status_code, reply.json()) == (200, {"hello": "Hello"})
    assert reply.headers["content-type"] == "application/json"


async def test_plain_handlers_run_beside_asynchronous_ones(add: Add, tmp_path: Path) -> None:
    """Each waits for the other: one at a time they would wait forever."""
    (tmp_path / "meeting.py").write_text(
        "import threading\nmet = threading.Barrier(2, timeout=10)\n"
    )
    load = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import meeting; sys.path.pop(0)\n"
    wait = "meeting.met.wait()"
    add("Plain", "GET /plain", code=f"{load}def handler(event, context):\n    return {wait} >= 0\n")
    code = f"{load}import asyncio\nasync def handler(event, context):\n"
    code += f"    return await asyncio.to_thread(lambda: {wait}) >= 0\n"
    add("Asynchronous", "GET /asynchronous", code=code)
    async with serving(tmp_path) as client:
        replies = await asyncio.gather(client.get("/plain"), client.get("/asynchronous"))
    assert [reply.text for reply in replies] == ["true", "true"]


@pytest.mark.parametrize(
    "code",
    [
        "def handler(event, context):\n    raise RuntimeError('secret')\n",
        "async def handler(event, context):\n    raise RuntimeError('secret')\n",
        "async def handler(event, context):\n    raise TimeoutError('secret')\n",
        "def handler(event, context):\n    return {'secret': object()}\n",
        "def handler(event, context):\n    return {'statusCode': 200, 'headers': {'a': '\\n'}}\n",
        "def handler(event, context):\n    return {'statusCode': 999}\n",
    ],
    ids=["plain", "asynchronous", "its own timeout", "no JSON", "no header", "no status"],
)
async def test_a_function_that_fails_is_a_500_that_tells_nothing(
    add: Add, tmp_path: Path, code: str
) -> None:
    add("Broken", "GET /broken", code=code)
    async with serving(tmp_path) as client:
        reply = await client.get("/broken")
    assert reply.status_code == 500
    assert reply.headers["content-type"] == "application/json"
    assert reply.text == '{"message":"Internal Server Error"}'


async def test_a_function_that_takes_longer_than_its_timeout_has_failed(
    add: Add, tmp_path: Path
) -> None:
    code = "import asyncio\nasync def handler(event, context):\n    await asyncio.Event().wait()\n"
    add("Slow", "GET /slow", code=code, Timeout=1)
    async with serving(tmp_path) as client:
        reply = await client.get("/slow")
    assert (reply.status_code, reply.text) == (500, '{"message":"Internal Server Error"}')
    assert reply.headers["content-type"] == "application/json"


async def test_a_function_that_lambda_has_no_room_for_is_503(add: Add, tmp_path: Path) -> None:
    code = "from local.runtime.errors import ThrottledError\n"
    code += "async def handler(event, context):\n    raise ThrottledError('full')\n"
    add("Full", "GET /full", code=code)
    async with serving(tmp_path) as client:
        reply = await client.get("/full")
    assert (reply.status_code, reply.text) == (503, '{"message":"Service Unavailable"}')


async def test_a_body_over_the_bound_is_413_and_one_at_it_is_not(add: Add, tmp_path: Path) -> None:
    """Told its length or not; afterwards the client is served again. A body that API Gateway
    takes and Lambda does not, since they differ, is a failed invocation."""
    add(
        "Count", "POST /count", code="def handler(event, context):\n    return len(event['body'])\n"
    )

    async def chunks(total: int) -> AsyncIterator[bytes]:
        for _ in range(total // 100_000):
            yield b"a" * 100_000
        yield b"a" * (total % 100_000)

    lengths = {6_000_000: 200, PAYLOAD_BYTES_MAX: 500, BODY_BYTES_MAX: 500, BODY_BYTES_MAX + 1: 413}
    async with serving(tmp_path, bounds=API_GATEWAYS) as client:
        for total, status in lengths.items():
            for content in (b"a" * total, chunks(total)):
                headers = {"content-type": "text/plain"}
                reply = await client.post("/count", content=content, headers=headers)
                assert reply.status_code == status
                assert reply.headers["content-type"] == "application/json"
        assert reply.json()["message"] == "Request Entity Too Large"
        assert (await client.post("/count", content=b"abc", headers=headers)).json() == 3


async def test_bodies_that_would_fill_the_memory_are_refused_and_others_served(
    add: Add, tmp_path: Path, wait_until: Callable[..., Awaitable[None]]
) -> None:
    """Half-sent ones of a few clients hold all there is; when they have left, it is free again."""
    add(
        "Count", "POST /count", code="def handler(event, context):\n    return len(event['body'])\n"
    )
    half = b"a" * (BODY_BYTES_MAX - 1)
    head = b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES_MAX
    async with serving(tmp_path, bounds=API_GATEWAYS) as client:
        writers = []
        for _ in range(BODIES_BYTES_MAX // BODY_BYTES_MAX):
            host, port = client.base_url.host, client.base_url.port
            _, writer = await asyncio.open_connection(host, port)
            writer.write(head + half)
            await writer.drain()
            writers.append(writer)

        async def is_refused() -> bool:
            reply = await client.post("/count", content=b"a" * 100_000)
            assert reply.status_code in (200, 503)
            return reply.status_code == 503

        async def is_served() -> bool:
            return not await is_refused()

        await wait_until(is_refused)  # the last of the halves is on its way
        assert (await client.post("/count")).status_code == 500  # no body, and it has none to count
        for writer in writers:
            writer.close()
        await wait_until(is_served)


async def test_half_a_body_is_no_request(add: Add, tmp_path: Path) -> None:
    """A client that leaves in the middle of its body has not asked for anything."""
    (tmp_path / "seen").touch()
    code = (
        f"def handler(event, context):\n    with open({str(tmp_path / 'seen')!r}, 'a') as seen:\n"
    )
    code += "        seen.write(event['body'] + ';')\n"
    add("Note", "POST /note", code=code)
    async with serving(tmp_path) as client:
        with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as half:
            head = b"POST /note HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
            half.sendall(head + b"part")
        await client.post("/note", content=b"whole", headers={"content-type": "text/plain"})
    assert (tmp_path / "seen").read_text() == "whole;"


async def test_the_context_tells_of_the_template(add: Add, tmp_path: Path) -> None:
    code = (
        "def handler(event, context):\n"
        "    return [context.function_name, context.memory_limit_in_mb,\n"
        "            context.get_remaining_time_in_millis(), context.aws_request_id,\n"
        "            context.invoked_function_arn]\n"
    )
    add("Told", "GET /told", code=code, Timeout=7, MemorySize=256)
    async with serving(tmp_path) as client:
        name, memory, left, request_id, arn = (await client.get("/told")).json()
    assert (name, memory) == ("Told", "256")  # digits, as in Lambda
    assert 0 < left <= 7_000
    assert re.fullmatch(r"[0-9a-f-]{36}", request_id)
    assert arn.endswith(":function:Told")
