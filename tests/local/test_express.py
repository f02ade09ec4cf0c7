"""The express lane answers as the usual way does, byte for byte, and gives way where it must."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.express import ExpressProtocol
from local.gateway import Gateway
from local.protocol import BoundedProtocol
from tests.local.conftest import Add, serving

# What changes from one request to the next, or with the clock.
ECHO = """
def handler(event, context):
    asked = event["requestContext"]
    for field in ("requestId", "time", "timeEpoch", "domainName", "domainPrefix"):
        asked.pop(field)
    event["headers"].pop("x-amzn-trace-id")
    return {"statusCode": 200, "headers": {"x-own": "yes", "connection": "close"},
            "cookies": ["a=1", "b=2"], "body": repr(event)}
"""
EMPTY = "def handler(event, context):\n    return {'statusCode': 204, 'body': 'nothing'}\n"
HOST = b"Host: a\r\n"

PLAIN = [
    b"GET /echo HTTP/1.1\r\n" + HOST,
    b"GET /echo?a=1&b=%20&a=2 HTTP/1.1\r\n" + HOST,
    b"GET /echo? HTTP/1.1\r\n" + HOST + b"X-Twice: one\r\nx-twice: two\r\nCookie: c=3; d=4\r\n",
    b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n",
    b"GET /empty HTTP/1.1\r\n" + HOST,
]
UNUSUAL = [
    b"GET /echo#part HTTP/1.1\r\n" + HOST,
    b"GET /echo?a#part HTTP/1.1\r\n" + HOST,
    b"GET /%65cho HTTP/1.1\r\n" + HOST,
    b"GET http://elsewhere.example/echo HTTP/1.1\r\n" + HOST,
    b"HEAD /echo HTTP/1.1\r\n" + HOST,
    b"PUT /echo HTTP/1.1\r\n" + HOST,
    b"GET /nowhere HTTP/1.1\r\n" + HOST,
    b"GET /echo HTTP/1.0\r\n" + HOST,
    b"GET /echo HTTP/1.1\r\nConnection: close\r\n" + HOST,
    b"POST /echo HTTP/1.1\r\nContent-Length: 4\r\n" + HOST + b"\r\nbody",
    b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n4\r\nbody\r\n0\r\n",
    b"POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n" + HOST,
    b"GET /echo HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" + HOST,
]
PIPELINES = [
    [PLAIN[1], PLAIN[3], PLAIN[0]],
    [PLAIN[0], UNUSUAL[6], PLAIN[1]],
    [UNUSUAL[9], PLAIN[0], UNUSUAL[10], PLAIN[1]],
    [PLAIN[0], UNUSUAL[8]],
]
ALL = [[request] for request in PLAIN + UNUSUAL] + PIPELINES


@pytest.fixture
def usual_way(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that Starlette was asked for."""
    asked: list[str] = []
    call = Gateway.__call__

    async def noted(app: Gateway, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked.append(scope["path"])
        await call(app, scope, receive, send)

    monkeypatch.setattr(Gateway, "__call__", noted)
    return asked


@pytest.fixture
def folder(add: Add, tmp_path: Path) -> Path:
    add("Echo", "GET /echo", "POST /echo", code=ECHO)
    add("Empty", "GET /empty", code=EMPTY)
    return tmp_path


async def exchange(client: httpx.AsyncClient, sent: bytes, answers: int) -> list[bytes]:
    """Send bytes at once, and collect so many answers, without their dates."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(sent)
    received = []
    try:
        for _ in range(answers):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            length = re.search(rb"content-length: (\d+)", head)
            size = int(length[1]) if length and not sent.startswith(b"HEAD") else 0
            received.append(
                re.sub(rb"date: [^\r]*\r\n", b"", head) + await reader.readexactly(size)
            )
    finally:
        writer.close()
        await writer.wait_closed()
    return received


@pytest.mark.parametrize("requests", ALL, ids=[b"+".join(sent).decode()[:60] for sent in ALL])
async def test_both_ways_answer_alike(requests: list[bytes], folder: Path) -> None:
    sent = b"".join(request + b"\r\n" for request in requests)
    answers = []
    for http in (ExpressProtocol, BoundedProtocol):
        async with serving(folder, http) as client:
            answers.append(await exchange(client, sent, len(requests)))
    assert answers[0] == answers[1]


async def test_plain_requests_go_past_starlette(folder: Path, usual_way: list[str]) -> None:
    async with serving(folder) as client:
        for request in PLAIN:
            await exchange(client, request + b"\r\n", 1)
        assert usual_way == []
        for request in UNUSUAL:
            await exchange(client, request + b"\r\n", 1)
    assert len(usual_way) == len(UNUSUAL)


async def test_who_leaves_before_the_answer_harms_nobody(add: Add, tmp_path: Path) -> None:
    code = "import asyncio\nasync def handler(event, context):\n    await asyncio.sleep(0.2)\n"
    add("Slow", "GET /slow", code=code)
    async with serving(tmp_path) as client:
        _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(PLAIN[0].replace(b"echo", b"slow") + b"\r\n")
        await writer.drain()
        writer.close()
        assert (await client.get("/slow")).status_code == 200


async def test_a_shutdown_waits_for_the_answer_and_says_that_it_is_the_last(
    add: Add, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    seen = tmp_path / "seen"
    code = "import asyncio, pathlib\nasync def handler(event, context):\n"
    code += f"    pathlib.Path({str(seen)!r}).touch()\n    await asyncio.sleep(0.5)\n"
    code += "    return 'done'\n"
    add("Slow", "GET /slow", code=code)

    async def is_asked() -> bool:
        return seen.exists()

    async with serving(tmp_path) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(PLAIN[0].replace(b"echo", b"slow") + b"\r\n")
        await wait_until(is_asked)
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b"connection: close\r\n" in reply
    assert reply.endswith(b"\r\n\r\ndone")


async def test_an_idle_connection_is_closed_and_no_other(add: Add, folder: Path) -> None:
    code = "import asyncio\nasync def handler(event, context):\n    await asyncio.sleep(0.5)\n"
    add("Slow", "GET /slow", code=code + "    return 'done'\n")
    slow = PLAIN[0].replace(b"echo", b"slow") + b"\r\n"
    async with serving(folder, timeout_keep_alive=0.2) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        for _ in range(2):
            writer.write(slow)
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        writer.write(slow[:10])
        await asyncio.sleep(0.5)
        writer.write(slow[10:])
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await writer.wait_closed()
