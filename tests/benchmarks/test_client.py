"""The generator's HTTP client against real sockets: a wrong reading would measure nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.benchmarks.connection import Address, ask
from tests.benchmarks.response import MalformedResponseError, Reply, ResponseReader
from tests.benchmarks.shopper import Shopper
from tests.benchmarks.tally import Tally

BODY = b'{"success": true}'
PLAIN = b"HTTP/1.1 200 OK\r\nCONTENT-length: 17\r\n\r\n" + BODY
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-ENCODING: chunked\r\n\r\n"
    b"5;why=not\r\n" + BODY[:5] + b"\r\nC\r\n" + BODY[5:] + b"\r\n0\r\nX-Trailer: 1\r\n\r\n"
)

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a real socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[Address]:
    """Serves `answer` on a free port; it is called for each connection, which it leaves open."""
    writers = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answer(reader, writer)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield Address.parse(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    finally:
        listening.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


def answering(*responses: bytes, then_close: bool = False) -> Answer:
    """One response for each request of a connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for response in responses:
            if not await _request(reader):
                return
            writer.write(response)
            await writer.drain()
        if then_close:
            writer.close()

    return answer


async def _request(reader: asyncio.StreamReader) -> str:
    """The target of the next request, or nothing when the client has gone."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""


def bodies(replies: list[Reply]) -> list[bytes]:
    return [reply.body for reply in replies]


@pytest.mark.parametrize("response", [PLAIN, CHUNKED], ids=["content-length", "chunked"])
def test_a_response_may_be_cut_anywhere(
    wire: tuple[socket.socket, socket.socket], response: bytes
) -> None:
    """Every cut in two, and a byte at a time."""
    ours, theirs = wire
    cuts = [[response[:cut], response[cut:]] for cut in range(1, len(response))]
    cuts.append([response[at : at + 1] for at in range(len(response))])
    for parts in cuts:
        reader = ResponseReader()
        replies: list[Reply] = []
        for part in parts:
            assert replies == [], "complete before its last byte"
            theirs.sendall(part)
            replies += reader.feed(ours.recv(65536))
        assert bodies(replies) == [BODY]


def test_two_responses_and_a_bit_may_come_in_one_read(
    wire: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = wire
    reader = ResponseReader()
    theirs.sendall(CHUNKED + PLAIN + PLAIN[:30])
    assert bodies(reader.feed(ours.recv(65536))) == [BODY, BODY]
    theirs.sendall(PLAIN[30:])
    assert bodies(reader.feed(ours.recv(65536))) == [BODY]


def test_an_interim_response_and_one_without_a_body_are_understood() -> None:
    found = ResponseReader().feed(
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n" + PLAIN
    )
    assert [(reply.status, reply.body) for reply in found] == [(204, b""), (200, BODY)]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ],
)
def test_nonsense_is_refused(nonsense: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        ResponseReader().feed(nonsense)


async def test_a_response_may_end_with_its_connection() -> None:
    async with server(answering(b"HTTP/1.1 200 OK\r\n\r\n" + BODY, then_close=True)) as address:
        assert (await ask(address, "GET", "/health")).body == BODY


@pytest.mark.parametrize("response", [PLAIN, CHUNKED], ids=["content-length", "chunked"])
async def test_a_connection_closed_in_a_response_says_so(response: bytes) -> None:
    async with server(answering(response[:-3], then_close=True)) as address:
        with pytest.raises(ConnectionError, match=f"closed {len(response) - 3} bytes into a resp"):
            await ask(address, "GET", "/health")


async def test_a_connection_closed_without_a_response_says_so() -> None:
    async with server(answering(b"", then_close=True)) as address:
        with pytest.raises(ConnectionError, match="closed instead of a response"):
            await ask(address, "GET", "/health")


async def test_a_response_to_no_request_is_a_fault() -> None:
    async with server(answering(PLAIN + PLAIN)) as address:
        with pytest.raises(ConnectionError, match="a response to no request"):
            await ask(address, "GET", "/health")


def reply(status: int, body: bytes, *, header: str = "X-Nothing: 1") -> bytes:
    return (
        f"HTTP/1.1 {status} Whatever\r\n{header}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


CODE, RECEIPT = reply(200, b'{"checkout_code": "c/1"}'), reply(200, BODY)


async def shop(answer: Answer, *, orders: int, resends_max: int = 3) -> Tally:
    """What one shopper makes of a server that answers so."""
    async with server(answer) as address:
        tally, left = Tally(), asyncio.Event()
        shopper = Shopper(
            address=address,
            orders=iter([address.request("POST", "/checkout?user_id=a&id=1")] * orders),
            tally=tally,
            resends_max=resends_max,
            left=left.set,
        )
        await shopper.open()
        shopper.start_pair()
        await asyncio.wait_for(left.wait(), 10)
        return tally


async def test_a_shopper_sends_busy_requests_again_and_counts_what_is_sold_apart() -> None:
    tally = await shop(
        answering(
            CODE,
            reply(503, b'{"error": "busy"}', header="Retry-After: 0"),
            RECEIPT,
            reply(409, b'{"error": "sold_out", "message": "item sold out"}'),
        ),
        orders=2,
    )
    assert (tally.pairs, tally.already_sold, tally.resent, tally.given_up) == (1, 1, 1, 0)
    assert tally.replies["purchase", 503, "busy"] == 1
    assert not tally.unexpected


@pytest.mark.parametrize(
    "refusal",
    [
        reply(503, b"{}"),
        reply(500, b"oops"),
        reply(409, b'{"message": "user purchase limit exceeded"}'),
        reply(200, b"{}"),
    ],
    ids=["503 without Retry-After", "500", "limit", "no code"],
)
async def test_a_shopper_blames_other_replies_and_goes_on(refusal: bytes) -> None:
    tally = await shop(answering(refusal, CODE, RECEIPT), orders=2)
    assert (tally.pairs, tally.unexpected.total()) == (1, 1)


async def test_a_shopper_gives_up_when_a_request_stays_refused() -> None:
    busy = reply(503, b'{"error": "busy"}', header="Retry-After: 0")
    tally = await shop(answering(*[busy] * 4), orders=2, resends_max=3)
    assert (tally.pairs, tally.resent, tally.given_up) == (0, 3, 1)


async def test_a_shopper_connects_again_and_sends_the_same_request() -> None:
    """First a reply that says Connection: close, then a connection cut in place of a reply."""
    targets = []
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        targets.append(await _request(reader))
        if connections == 1:
            writer.write(CODE.replace(b"X-Nothing: 1", b"Connection: close"))
        elif connections == 3:
            writer.write(RECEIPT)
        if connections < 3:
            writer.close()

    tally = await shop(answer, orders=1)
    assert targets == ["/checkout?user_id=a&id=1", *["/purchase?code=c%2F1"] * 2]
    assert (tally.pairs, tally.resent, tally.lost_connections.total()) == (1, 1, 1)
