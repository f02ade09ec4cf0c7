"""Every odd request is answered as a careful server does: RFC 9112 and 9110, over real sockets."""

import json
from collections.abc import Iterator

import pytest

from local.bounds import Bounds
from tests.local.conftest import adding
from tests.local.raw import OK, Raw, served

ECHO = """
async def handler(event, context):
    http = event["requestContext"]["http"]
    sent = {name: value for name, value in event["headers"].items() if not name.startswith("x-")}
    return [http["method"], event["rawPath"], sent, event.get("body")]
"""
SLOW = """
import asyncio
async def handler(event, context):
    await asyncio.sleep(0.1)
    return "slow"
"""
HOST = b"Host: a\r\n"
GET = b"GET /echo HTTP/1.1\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SLOWLY = b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n"

BAD = {
    "no host": (GET + b"\r\n", 400),
    "no host where no route is": (b"GET /none HTTP/1.1\r\n\r\n", 400),
    "two hosts": (GET + HOST + HOST + b"\r\n", 400),
    "two hosts in one": (GET + b"Host: a, b\r\n\r\n", 400),
    "a host that is none": (GET + b"Host: a/b\r\n\r\n", 400),
    "two hosts of HTTP/1.0": (b"GET /echo HTTP/1.0\r\n" + HOST + HOST + b"\r\n", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "two equal lengths": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
    "a list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\na", 400),
    "a length with a sign": (POST + b"Content-Length: +1\r\n\r\na", 400),
    "a length below nothing": (POST + b"Content-Length: -1\r\n\r\na", 400),
    "a length in hex": (POST + b"Content-Length: 0x1\r\n\r\na", 400),
    "a length past counting": (POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\na", 400),
    "length and chunks": (
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunks and length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a coding that is not known": (
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunks that are not last": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    "chunks of something else": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "chunks of HTTP/1.0": (
        b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a chunk without a size": (CHUNKED + b"zz\r\nab\r\n0\r\n\r\n", 400),
    "a chunk longer than its size": (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", 400),
    "a chunk past counting": (CHUNKED + b"f" * 17 + b"\r\na", 400),
    "a chunk with a bare line feed": (CHUNKED + b"1\na\n0\n\n", 400),
    "a length among the trailers": (CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n", 400),
    "a folded header": (GET + HOST + b"X: a\r\n b\r\n\r\n", 400),
    "a bare line feed": (b"GET /echo HTTP/1.1\nHost: a\n\n", 400),
    "a bare carriage return": (GET + HOST + b"X: a\rb\r\n\r\n", 400),
    "a zero byte in a header": (GET + HOST + b"X: a\0b\r\n\r\n", 400),
    "a zero byte in a target": (b"GET /ec\0ho HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a control byte": (GET + HOST + b"X: a\x1bb\r\n\r\n", 400),
    "a blank before the colon": (GET + b"Host : a\r\n\r\n", 400),
    "a blank before the first header": (GET + b" X: a\r\n" + HOST + b"\r\n", 400),
    "a header without a name": (GET + HOST + b": a\r\n\r\n", 400),
    "a header without a colon": (GET + HOST + b"Xa\r\n\r\n", 400),
    "a method in lower case": (b"get /echo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a method that is none": (b"BREW /echo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a target that is none": (b"GET echo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a target that is not ASCII": (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "another scheme": (b"GET ftp://a/echo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a URL with a user": (b"GET http://u:p@a/echo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a URL without a host": (b"GET http:///echo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a tunnel": (b"CONNECT a:443 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "HTTP/0.9": (b"GET /echo HTTP/0.9\r\n\r\n", 400),
    "HTTP/1.2": (b"GET /echo HTTP/1.2\r\n" + HOST + b"\r\n", 400),
    "HTTP/2": (b"GET /echo HTTP/2.0\r\n" + HOST + b"\r\n", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 400),
    "the hello of TLS": (bytes.fromhex("1603010200010001fc0303") + bytes(512), 400),
    "another expectation": (POST + b"Expect: tea\r\nContent-Length: 1\r\n\r\na", 417),
    "a target over the bound": (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a header over the bound": (GET + HOST + b"X: " + b"a" * 2_000 + b"\r\n\r\n", 431),
    "too many headers": (GET + HOST + b"X: a\r\n" * 8 + b"\r\n", 431),
    "a length over the bound": (POST + b"Content-Length: 5001\r\n\r\n", 413),
    "chunks over the bound": (CHUNKED + b"1400\r\n" + b"a" * 5_120 + b"\r\n0\r\n\r\n", 413),
}
ENDLESS = {
    "a target": (b"GET /", b"a", 414),
    "a header": (GET + HOST + b"X: ", b"a", 431),
    "headers": (GET + HOST, b"X: a\r\n", 431),
    "line ends": (b"", b"\r\n", 431),
    "a trailer": (CHUNKED + b"1\r\na\r\n0\r\nX: ", b"a", 431),
    "a chunk's extension": (CHUNKED + b"1;", b"a", 431),
    "a chunk's size": (CHUNKED, b"0", 431),
    "chunks": (CHUNKED, b"1\r\na\r\n", 413),
}
GOOD = {
    "plain": (OK, [200]),
    "a line end before": (b"\r\n" + OK, [200]),
    "a URL": (b"GET http://b:81/echo?c HTTP/1.1\r\n" + HOST + b"\r\n", [200]),
    "HTTP/1.0 that stays": (b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [200]),
    "HTTP/1.0 with a host": (
        b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n" + HOST + b"\r\n",
        [200],
    ),
    "a host of nothing": (GET + b"Host:\r\n\r\n", [200]),
    "a host of IPv6": (GET + b"Host: [::1]:80\r\n\r\n", [200]),
    "about the server": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", [204]),
    "a known method that no route has": (b"LINK /echo HTTP/1.1\r\n" + HOST + b"\r\n", [404]),
    "an asterisk that is no option": (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", [404]),
    "a body": (POST + b"Content-Length: 4\r\n\r\nbody", [200]),
    "chunks": (CHUNKED + b"2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\nX: y\r\n\r\n", [200]),
    "an expectation": (POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\na", [100, 200]),
    "an expectation of HTTP/1.0": (
        (
            b"POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nExpect: tea\r\n"
            b"Content-Length: 1\r\n\r\na"
        ),
        [200],
    ),
    "no upgrade": (GET + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + OK, [200, 200]),
    "three at once": (SLOWLY + OK + POST + b"Content-Length: 1\r\n\r\na", [200, 200, 200]),
    "three hundred at once": (OK * 300, [200] * 300),
    "a head at the bounds": (
        b"GET /echo?" + b"a" * 246 + b" HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 7 + b"\r\n",
        [200],
    ),
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("served")
    add = adding(folder)
    add("Echo", "GET /echo", "POST /echo", code=ECHO)
    add("Slow", "GET /slow", code=SLOW)
    small = Bounds(url_bytes=256, head_bytes=1_024, headers=8, body_bytes=5_000)
    with served(folder, small) as port:
        yield port


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_told_so_and_is_the_last(port: int, case: str) -> None:
    """In the shape of every refusal. What follows it is not read: who sent it and who relayed it
    may not agree where it ends."""
    sent, status = BAD[case]
    with Raw(port, sent + OK) as raw:
        answer = raw.answer()
        assert answer.status == status
        assert answer.headers[b"connection"] == b"close"
        assert answer.headers[b"content-type"] == b"application/json"
        told = json.loads(answer.body)
        assert told["success"] is False
        assert told["error"] in ("malformed", "too_large", "too_long")
        assert raw.is_closed()


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_that_comes_byte_by_byte_is_told_the_same(port: int, case: str) -> None:
    sent, status = BAD[case]
    with Raw(port) as raw:
        for start in range(min(len(sent), 1_200)):
            raw.send(sent[start : start + 1])
        raw.send(sent[1_200:])
        assert raw.answer().status == status


@pytest.mark.parametrize("case", ENDLESS)
def test_what_has_no_end_is_ended_before_it_fills_the_memory(port: int, case: str) -> None:
    begin, more, status = ENDLESS[case]
    with Raw(port, begin) as raw:
        sent = 0
        while not raw.has_something():
            assert sent < 200_000
            raw.send(more * 100)
            sent += 100
        assert raw.answer().status == status


@pytest.mark.parametrize("case", GOOD)
def test_an_odd_request_that_is_right_is_answered_and_so_is_the_next(port: int, case: str) -> None:
    sent, statuses = GOOD[case]
    with Raw(port, sent) as raw:
        assert [raw.answer().status for _ in statuses] == statuses
        raw.send(OK)
        assert raw.answer().status == 200


@pytest.mark.parametrize("case", GOOD)
def test_who_closes_its_own_half_still_gets_the_answers(port: int, case: str) -> None:
    sent, statuses = GOOD[case]
    with Raw(port, sent) as raw:
        raw.socket.shutdown(1)
        assert [raw.answer().status for _ in statuses] == statuses
        assert raw.is_closed()


@pytest.mark.parametrize(
    ("sent", "stays"),
    [
        (b"GET /echo HTTP/1.0\r\n\r\n", False),
        (b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
        (GET + HOST + b"Connection: close\r\n\r\n", False),
        (GET + HOST + b"Connection: Close, x\r\n\r\n", False),
        (GET + HOST + b"Connection: keep-alive\r\n\r\n", True),
    ],
)
def test_a_connection_stays_if_the_client_wants_it_to(port: int, sent: bytes, stays: bool) -> None:
    """HTTP/1.0 must be told so, or it would wait for the end of the connection."""
    with Raw(port, sent) as raw:
        answer = raw.answer()
        assert answer.status == 200
        if stays:
            raw.send(OK)
            assert raw.answer().status == 200
        else:
            assert raw.is_closed()
    expected = b"keep-alive" if b"1.0" in sent and stays else None if stays else b"close"
    assert answer.headers.get(b"connection") == expected


def test_what_stands_before_a_bad_request_is_answered_first(port: int) -> None:
    """In order: a client takes the first answer for that to its first request."""
    for bad in (b"\0", CHUNKED + b"zz\r\n", GET + b"\r\n"):
        with Raw(port, SLOWLY + OK + bad) as raw:
            assert [raw.answer().status for _ in range(3)] == [200, 200, 400]
            assert raw.is_closed()


def test_a_url_says_which_host_is_meant_and_its_host_header_does_not(port: int) -> None:
    with Raw(port, b"GET http://b:81/echo HTTP/1.1\r\nHost: a\r\nY: z\r\n\r\n") as raw:
        told = json.loads(raw.answer().body)
    assert told == ["GET", "/echo", {"host": "b:81", "y": "z"}, None]


def test_a_trailer_is_no_header(port: int) -> None:
    with Raw(port, CHUNKED + b"1\r\na\r\n0\r\nAdmin: yes\r\nHost: b\r\n\r\n") as raw:
        told = json.loads(raw.answer().body)
    assert told[2] == {"host": "a", "transfer-encoding": "chunked"}


def test_what_the_server_knows_is_told_to_options(port: int) -> None:
    with Raw(port, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") as raw:
        assert raw.answer().headers[b"allow"] == b"GET, OPTIONS, POST"


def test_who_still_sends_hears_why_it_is_refused(port: int) -> None:
    """A connection that is closed with unread bytes is reset, and the answer is lost with it."""
    with Raw(port, POST + b"Content-Length: 9000000\r\n\r\n") as raw:
        raw.send(b"a" * 9_000_000)
        assert raw.answer().status == 413
        assert raw.is_closed()


def test_a_body_that_is_refused_is_not_asked_for(port: int) -> None:
    with Raw(port, POST + b"Expect: 100-continue\r\nContent-Length: 5001\r\n\r\n") as raw:
        assert raw.answer().status == 413
