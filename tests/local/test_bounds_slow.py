"""Clients that make the server wait, or come in crowds: each bound's answer, and who goes first."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from local.bounds import Bounds
from tests.local.conftest import adding
from tests.local.raw import OK, Raw, served

ECHO = "async def handler(event, context):\n    return event.get('body') or 'echo'\n"
LARGE = "async def handler(event, context):\n    return 'a' * 4_000_000\n"
# Answers once a file has been made, so that a test says when.
LATE = """
import asyncio, pathlib
async def handler(event, context):
    pathlib.Path({folder!r}, "seen").touch()
    while not pathlib.Path({folder!r}, "go").exists():
        await asyncio.sleep(0.01)
    return "late"
"""
LATER = b"GET /late HTTP/1.1\r\nHost: a\r\n\r\n"
DEAR = LATER.replace(b"GET /late", b"POST /dear")
BODY = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n"

LATE_SECONDS = 4.0  # that a busy machine may take longer

Serve = Callable[..., AbstractContextManager[int]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serves with the bounds that are given."""
    add = adding(tmp_path)
    add("Echo", "GET /echo", "POST /echo", code=ECHO)
    add("Large", "GET /large", code=LARGE)
    add("Late", "GET /late", "POST /dear", code=LATE.format(folder=str(tmp_path)))
    return lambda **bounds: served(tmp_path, Bounds(**bounds))


@pytest.fixture
def many() -> Iterator[Callable[..., list[Raw]]]:
    """Opens connections, and closes them at the end."""
    with ExitStack() as opened:
        yield lambda port, count, sent=b"": [
            opened.enter_context(Raw(port, sent)) for _ in range(count)
        ]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "waited 5 s in vain"
        time.sleep(0.01)


def test_each_wait_has_its_end(serve: Serve) -> None:
    """For a head, a body, a next request; who has not begun one is not told anything. A client that
    sends a byte now and then gains no time by it."""
    bounds = {"head_seconds": 0.4, "body_seconds": 0.8, "idle_seconds": 1.2}
    waits = {b"": 0.4, OK[:-2]: 0.4, BODY: 0.8, BODY + b"a": 0.8, OK + OK[:9]: 0.4, OK: 1.2}
    with serve(**bounds) as port, ExitStack() as opened:
        began = time.monotonic()
        raws = [(opened.enter_context(Raw(port, sent)), sent) for sent in waits]
        drip = opened.enter_context(Raw(port, b"GET /echo HTTP/1.1\r\nX: "))
        while not drip.has_something():
            drip.send(b"a")
            time.sleep(0.05)
        assert drip.answer().status == 408
        assert 0.4 <= time.monotonic() - began < 0.4 + LATE_SECONDS
        for raw, sent in sorted(raws, key=lambda each: waits[each[1]]):
            if sent.startswith(OK):
                assert raw.answer().status == 200
            if sent not in (b"", OK):
                answer = raw.answer()
                assert (answer.status, json.loads(answer.body)["error"]) == (408, "malformed")
            assert raw.is_closed()
            assert waits[sent] <= time.monotonic() - began < waits[sent] + LATE_SECONDS


def test_the_time_that_the_server_takes_is_not_the_clients(serve: Serve, tmp_path: Path) -> None:
    """Half a request that waits behind a slow one has all its time once that is answered."""
    patient = serve(head_seconds=0.3, body_seconds=0.3, idle_seconds=0.3)
    with patient as port, Raw(port, LATER + OK + BODY + b"bo") as raw:
        time.sleep(0.8)
        (tmp_path / "go").touch()
        assert [raw.answer().status for _ in range(2)] == [200, 200]
        raw.send(b"dy")
        assert raw.answer().body == b"body"


def test_who_does_not_read_its_answer_is_cut_off(serve: Serve) -> None:
    with serve(write_seconds=0.4, linger_seconds=0.2) as port, ExitStack() as opened:
        ask = OK.replace(b"echo", b"large")
        last = ask.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        began = time.monotonic()
        raws = [
            opened.enter_context(Raw(port, sent, read_bytes=4_096)) for sent in (ask, ask * 3, last)
        ]
        until(lambda: any(is_reset(raw) for raw in raws))
        assert time.monotonic() - began >= 0.4
        until(lambda: all(is_reset(raw) for raw in raws))
        reader = opened.enter_context(Raw(port, ask, read_bytes=4_096))
        assert len(reader.answer().body) == 4_000_000


def is_reset(raw: Raw) -> bool:
    """Whether the server has cut the connection off, which sending finds out without reading."""
    try:
        raw.send(b"\r\n")
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_who_waits_longest_makes_room_and_nobody_whose_request_is_under_way(
    serve: Serve, many: Callable[..., list[Raw]], tmp_path: Path
) -> None:
    with serve(connections=40) as port:
        busy = many(port, 10, LATER)
        half = many(port, 10, OK[:9])
        idle = many(port, 20, OK)
        assert {raw.answer().status for raw in idle} == {200}
        until((tmp_path / "seen").exists)
        fresh = many(port, 25, OK)
        assert {raw.answer().status for raw in fresh} == {200}
        assert {raw.answer().status for raw in half} == {408}
        (tmp_path / "go").touch()
        assert {raw.answer().status for raw in busy} == {200}
        assert sum(raw.has_something() for raw in idle) == 15


def test_one_address_gets_its_share_and_no_more(
    serve: Serve, many: Callable[..., list[Raw]]
) -> None:
    with serve(connections_per_address=5) as port:
        served = many(port, 5, OK)
        assert {raw.answer().status for raw in served} == {200}
        for raw in many(port, 3, OK):
            answer = raw.answer()
            assert (answer.status, json.loads(answer.body)["error"]) == (
                429,
                "too_many_connections",
            )
            assert answer.headers[b"retry-after"] in (b"1", b"2", b"3")
            assert raw.is_closed()
            raw.socket.close()
        served.pop().socket.close()
        until(lambda: answers(port))


def answers(port: int) -> bool:
    with Raw(port, OK) as raw:
        return raw.answer().status == 200


def test_past_its_places_a_request_is_turned_away_at_once_and_the_dearest_last(
    serve: Serve, many: Callable[..., list[Raw]], tmp_path: Path
) -> None:
    """On a connection that stays of use. A body that nobody reads ends it."""
    with serve(in_flight=10, preferred=("POST /dear",)) as port:
        busy = many(port, 6, LATER)
        until((tmp_path / "seen").exists)
        with Raw(port) as raw:
            until(lambda: is_turned_away(raw))
            raw.send(LATER * 200)
            assert {raw.answer().status for _ in range(200)} == {503}
            raw.send(LATER.replace(b"/late", b"/none"))
            assert raw.answer().status == 503
            raw.send(BODY + b"body")
            answer = raw.answer()
            assert (answer.status, answer.headers[b"connection"]) == (503, b"close")
        dear = many(port, 4, DEAR)
        with Raw(port) as raw:
            until(lambda: is_turned_away(raw, DEAR.replace(b"/dear", b"/dear?x")))
        (tmp_path / "go").touch()
        assert {raw.answer().status for raw in busy + dear} == {200}
        assert answers(port)


def is_turned_away(raw: Raw, sent: bytes = OK) -> bool:
    raw.send(sent)
    answer = raw.answer()
    if answer.status != 503:
        return False
    assert answer.headers[b"retry-after"] in (b"1", b"2", b"3")
    assert b"connection" not in answer.headers
    assert json.loads(answer.body) == {
        "success": False,
        "error": "overloaded",
        "message": "too many requests are waiting, try again",
    }
    return True


def test_a_stop_waits_for_nobody_who_is_not_served(serve: Serve, tmp_path: Path) -> None:
    """Half a request is told to come again; who reads nothing is cut off; who is served is."""
    with ExitStack() as opened:
        with serve(linger_seconds=0.3) as port:
            late = opened.enter_context(Raw(port, LATER))
            halves = [opened.enter_context(Raw(port, sent)) for sent in (OK[:9], BODY + b"a")]
            idle = opened.enter_context(Raw(port, OK))
            deaf = opened.enter_context(Raw(port, OK.replace(b"echo", b"large"), read_bytes=4_096))
            assert idle.answer().status == 200
            until((tmp_path / "seen").exists)
            until(deaf.has_something)
            (tmp_path / "go").touch()
            began = time.monotonic()
        assert time.monotonic() - began < LATE_SECONDS
        assert late.answer().status == 200
        for raw in halves:
            answer = raw.answer()
            assert (answer.status, json.loads(answer.body)["error"]) == (503, "unavailable")
        assert idle.is_closed()
