"""The floors: bare ASGI applications on uvicorn that do one thing a request, and nothing else.

`python -m tests.performance.bare constant|script|commit PROCESSES`, stores and PORT in the
environment. They rest on uvicorn, hiredis and pg8000, and share no code with our service.
"""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import hiredis
import pg8000.native
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

KINDS = ("constant", "script", "commit")
BATCH_MAX = 200
BODY = (
    b'{"success": true, "checkout_code": "' + b"A" * 96 + b'", "message": '
    b'"Checkout session created successfully"}'
)
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
# One look and one answer for each entry, in one call for the batch.
SCRIPT = """
local reply = {}
for i = 1, #ARGV do reply[i] = redis.call('HGET', KEYS[1], ARGV[i]) and 'taken' or 'available' end
return reply
"""
TABLE = "create table if not exists floor (id uuid primary key, buyer text, item integer)"
INSERT = """
insert into floor (id, buyer, item)
select a.id::uuid, a.buyer, a.item::integer from unnest(
    string_to_array(:ids, ','), string_to_array(:buyers, ','), string_to_array(:items, ',')
) as a (id, buyer, item)
on conflict do nothing
"""

Act = Callable[[], Awaitable[object]]
Run = Callable[[int], Awaitable[None]]


class Batch:
    """Calls that come while a batch is under way leave together as the next."""

    def __init__(self, run: Run) -> None:
        """`run` is given the size of a batch."""
        self._run = run
        self._waiting: list[asyncio.Future[None]] = []
        self._draining: asyncio.Task[None] | None = None

    def __call__(self) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(future)
        if self._draining is None:
            self._draining = loop.create_task(self._drain())
        return future

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
            await self._run(len(batch))
            for future in batch:
                if not future.done():
                    future.set_result(None)
        self._draining = None


class Scripts(asyncio.Protocol):
    """One connection to Valkey; a batch is one EVALSHA."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._answer: asyncio.Future[Any] | None = None
        self._transport: Any = None
        self._sha: bytes = b""

    async def connect(self, environment: dict[str, str]) -> None:
        host, _, port = environment["REDIS_ADDR"].rpartition(":")
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: self, host, int(port))
        await self._ask("AUTH", environment["REDIS_PASSWORD"])
        self._sha = await self._ask("SCRIPT", "LOAD", SCRIPT)

    async def run(self, size: int) -> None:
        items = [secrets.randbelow(10_000) for _ in range(size)]
        answers = await self._ask("EVALSHA", self._sha, 1, "floor:{0}:claims", *items)
        if len(answers) != size:
            raise RuntimeError(f"{len(answers)} answers to {size} entries")

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (found := self._reader.gets()) is not False:
            if self._answer is None:
                raise RuntimeError(f"an answer to no question: {found!r}")
            if isinstance(found, Exception):
                self._answer.set_exception(found)
            else:
                self._answer.set_result(found)

    def _ask(self, *command: str | bytes | int) -> "asyncio.Future[Any]":
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type]
        return self._answer


class Commits:
    """One connection to PostgreSQL, in a thread; a batch is one insert, and so one commit."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        where = environment["DB_HOST"], int(environment["DB_PORT"])
        wire = socket.create_connection(where)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = pg8000.native.Connection(
            user=environment["DB_USER"],
            password=environment["DB_PASSWORD"],
            database=environment["DB_NAME"],
            sock=wire,
        )
        self._insert = connection.prepare(INSERT)

    async def run(self, size: int) -> None:
        rows = {
            "ids": ",".join(secrets.token_hex(16) for _ in range(size)),
            "buyers": ",".join(f"crowd-{secrets.randbelow(1_000)}" for _ in range(size)),
            "items": ",".join(str(secrets.randbelow(10_000)) for _ in range(size)),
        }
        await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._insert.run(**rows)
        )


class Bare:
    """The application: awaits what it is to do for each request, then answers the constant."""

    def __init__(self, kind: str, environment: dict[str, str]) -> None:
        self._kind = kind
        self._environment = environment
        self._acts: Sequence[Act] = ()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await self._connect()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        for act in self._acts:
            await act()
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})

    async def _connect(self) -> None:
        acts = []
        if self._kind != "constant":
            scripts = Scripts()
            await scripts.connect(self._environment)
            acts.append(Batch(scripts.run))
        if self._kind == "commit":
            acts.append(Batch(Commits(self._environment).run))
        self._acts = acts


class _Corked:
    """A transport that sends in one packet what one turn of the loop has written."""

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held += data

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held:
            self._transport.write(held)


class OnePacket(HttpToolsProtocol):
    """uvicorn's protocol, which by itself sends a response's head and body apart."""

    def connection_made(self, transport: Any) -> None:
        corked: Any = _Corked(transport, self.loop)
        super().connection_made(corked)


def serve(kind: str, port: int) -> None:
    """One process, which shares the port with the others, until SIGTERM."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(2_048)
    config = uvicorn.Config(
        Bare(kind, dict(os.environ)),
        http=OnePacket,
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="error",
        timeout_graceful_shutdown=1,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listener]))


def main() -> None:
    """Start the processes and end them on SIGTERM."""
    kind, processes = sys.argv[1], int(sys.argv[2])
    if processes == 1:
        serve(kind, int(os.environ["PORT"]))
        return
    again = [sys.executable, "-m", "tests.performance.bare", kind, "1"]
    children = [subprocess.Popen(again) for _ in range(processes)]

    def end(number: int, frame: FrameType | None) -> None:
        for child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, end)
    for child in children:
        child.wait()


if __name__ == "__main__":
    main()
