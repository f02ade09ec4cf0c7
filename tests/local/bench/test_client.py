"""The generator's HTTP client against real sockets: a wrong reading would measure nothing."""

import socket
from collections.abc import Iterator

import pytest

from local.bench.connection import ask
from local.bench.response import MalformedResponseError, Reply, ResponseReader
from tests.local.bench.sites import BODY, answering, server

PLAIN = b"HTTP/1.1 200 OK\r\nCONTENT-length: 17\r\n\r\n" + BODY
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-ENCODING: chunked\r\n\r\n"
    b"5;why=not\r\n" + BODY[:5] + b"\r\nC\r\n" + BODY[5:] + b"\r\n0\r\nX-Trailer: 1\r\n\r\n"
)


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a real socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


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
