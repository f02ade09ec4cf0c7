"""Small servers that answer as told, for testing the generator's own arithmetic."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from local.bench.address import Address

BODY = b'{"success": true}'
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(
    answer: Answer, *, tls: ssl.SSLContext | None = None, base: str = ""
) -> AsyncIterator[Address]:
    """Serves `answer` on a free port; it is called for each connection, which it leaves open."""
    writers = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answer(reader, writer)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        port = listening.sockets[0].getsockname()[1]
        yield Address.parse(f"{'https' if tls else 'http'}://127.0.0.1:{port}{base}")
    finally:
        listening.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


def answering(*responses: bytes, then_close: bool = False) -> Answer:
    """One response for each request of a connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for response in responses:
            if not await target_of_next(reader):
                return
            writer.write(response)
            await writer.drain()
        if then_close:
            writer.close()

    return answer


async def target_of_next(reader: asyncio.StreamReader) -> str:
    """The target of the next request, or nothing when the client has gone."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""


def reply(status: int, body: bytes, *, header: str = "X-Nothing: 1") -> bytes:
    """A response with a length."""
    return (
        f"HTTP/1.1 {status} Whatever\r\n{header}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
