"""A server that knows its answers beforehand: what the generator can do when nothing holds it."""

import asyncio
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from typing import cast

from local.bench.address import Address
from local.bench.connection import new_event_loop

START_SECONDS_MAX = 30.0


def _response(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT"
        b"\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    )


CHECKOUT = _response(
    b'{"success":true,"checkout_code":"' + b"A" * 96 + b'","message":'
    b'"Checkout session created successfully"}'
)
PURCHASE = _response(
    b'{"success":true,"purchase_id":"purchase_a1b2c3d4e5f6a7b8",'
    b'"message":"Purchase completed successfully"}'
)


class _Answers(asyncio.Protocol):
    """Trusts that each read is one whole request, which holds for our generator."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast("asyncio.WriteTransport", transport).write

    def data_received(self, data: bytes) -> None:
        self._write(CHECKOUT if data.startswith(b"POST /checkout") else PURCHASE)


@contextmanager
def constant_server() -> Iterator[Address]:
    """Runs the server in a process of its own while the block does."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        if not ours.poll(START_SECONDS_MAX):
            raise RuntimeError("the constant server did not start")
        yield Address.parse(f"http://127.0.0.1:{ours.recv()}")
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Pipe) -> None:
    _listen(0, pipe.send)


def _listen(port: int, listening: Callable[[int], object]) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Answers, "127.0.0.1", port)
        listening(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":  # for comparing other generators: python -m local.bench.constant 9000
    _listen(int(sys.argv[1]), print)
