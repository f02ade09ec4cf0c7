"""The whole service under bad clients: honest buyers notice nothing, and nothing is left behind."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle

import httpx
import pytest

from tests.contract.site import Site, running_site, running_stores
from tests.local import fuzz
from tests.local.raw import Raw

SLOW = 500
BUYERS, PAIRS = 8, 20
MEGABYTE = 1_000_000
HALVES = [
    b"",
    b"POST /checkout?user_id=a&id=1 HTTP/1.1\r\nHost: a\r\n",
    b"POST /purchase HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart",
    b"POST /checkout HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"GET /stats HTTP/1.1\r\nHost: a\r\n\r\nGET /st",
]

_numbers = count(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    shorter = dict.fromkeys(("HEAD", "BODY", "IDLE", "LINGER"), "1")
    shorter = {f"GATEWAY_{name}_SECONDS": value for name, value in shorter.items()}
    folder = tmp_path_factory.mktemp("site") / "gateway"
    with running_stores(tmp_path_factory.mktemp("stores")) as stores:
        environment = {**stores.environment(), **shorter}
        with running_site(folder, environment, processes=1) as made:
            yield made
    assert made.output.read_text() == ""


def test_half_open_connections_cost_no_honest_buyer_anything(site: Site) -> None:
    """Five hundred of them all the time, until each has been cut off once; who is comes again."""
    over = threading.Event()
    ended = 0

    def hold() -> None:
        nonlocal ended
        with contextlib.ExitStack() as opened:
            kinds = cycle(HALVES)
            held = [opened.enter_context(Raw(site.port, next(kinds))) for _ in range(SLOW)]
            while not over.is_set():
                for number, raw in enumerate(held):
                    if is_over(raw):
                        raw.socket.close()
                        ended += 1
                        held[number] = opened.enter_context(Raw(site.port, next(kinds)))
                time.sleep(0.02)

    with ThreadPoolExecutor(BUYERS + 1) as crowd:
        holding = crowd.submit(hold)
        buying = [crowd.submit(buy, site, lambda: ended >= SLOW) for _ in range(BUYERS)]
        statuses = [status for each in buying for status in each.result()]
        over.set()
        holding.result()
    assert len(statuses) >= BUYERS * PAIRS * 2
    assert statuses.count(200) / len(statuses) >= 0.99


def is_over(raw: Raw) -> bool:
    """Whether the server has hung up, whatever it said before."""
    while raw.has_something():
        if not raw.socket.recv(65_536):
            return True
    return False


def buy(site: Site, is_enough: Callable[[], bool]) -> list[int]:
    """Statuses of checkouts and purchases, 0 where no answer came."""
    statuses: list[int] = []
    deadline = time.monotonic() + 30
    with httpx.Client(base_url=site.url, timeout=20) as client:
        while len(statuses) < PAIRS * 2 or not is_enough():
            assert time.monotonic() < deadline
            number = next(_numbers)
            query = {"user_id": f"honest-{number}", "id": str(number)}
            for path in ("/checkout", "/purchase"):
                try:
                    reply = client.post(path, params=query)
                except httpx.HTTPError:
                    statuses += [0, 0]
                    break
                statuses.append(reply.status_code)
                query = {"code": reply.json().get("checkout_code", "")}
    return statuses


def test_a_large_request_is_refused_before_it_takes_memory(site: Site) -> None:
    """50 MB with and without a length, a target of 70 kB, headers of 2 MB: all on several
    connections, and none costs more than a moment's buffers."""
    head = b"POST /checkout?user_id=a&id=1 HTTP/1.1\r\nHost: a\r\n"
    million = b"a" * MEGABYTE
    chunk = b"f4240\r\n" + million + b"\r\n"
    exchange(site.port, [b"GET /stats HTTP/1.1\r\nHost: a\r\n\r\n"])
    before = fuzz.memory(site.port)
    for _ in range(3):
        length = head + b"Content-Length: 50000000\r\n\r\n"
        assert exchange(site.port, [length, *[million] * 50]) == 413
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        assert exchange(site.port, [chunked, *[chunk] * 50]) == 413
        assert (
            exchange(site.port, [b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"]) == 414
        )
        assert exchange(site.port, [head, *[b"X: " + million] * 2]) == 431
    assert fuzz.memory(site.port) - before < 10 * MEGABYTE


def exchange(port: int, parts: list[bytes]) -> int:
    """The status of the answer to what may be refused before all of it is sent."""
    with Raw(port) as raw:
        with contextlib.suppress(OSError):
            for part in parts:
                raw.send(part)
        return raw.answer().status


def test_whatever_is_sent_gets_an_answer_of_a_careful_server(site: Site) -> None:
    findings = asyncio.run(fuzz.run(site.port, rounds=1_500, seed=20_261_122))
    assert findings.wrong == []
    assert findings.statuses[200] > 30
    assert findings.statuses[400] > 100
    assert httpx.get(f"{site.url}/stats").status_code == 200
