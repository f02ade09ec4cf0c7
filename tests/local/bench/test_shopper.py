"""What a visitor makes of each kind of answer, over real sockets."""

import asyncio

import pytest

from local.bench.address import Address
from local.bench.loop import ClosedLoop
from local.bench.shopper import Patience, Shopper
from local.bench.tally import Tally
from local.bench.wish import Wish
from tests.local.bench.sites import BODY, Answer, answering, reply, server, target_of_next

CODE, RECEIPT = reply(200, b'{"checkout_code": "c/1"}'), reply(200, BODY)
BUSY = reply(503, b'{"error": "busy"}', header="Retry-After: 0")


async def shop(
    answer: Answer, *, visits: int, resends_max: int = 3, give_up_seconds: float = 10.0
) -> Tally:
    """What one visitor in a closed loop makes of a server that answers so."""
    async with server(answer) as address:
        tally, left = Tally(), asyncio.Event()
        wish = Wish("checkout", address.request("POST", "/checkout?user_id=a&id=1"), 1)
        loop = ClosedLoop(iter([wish] * visits), tally, seconds=1e9, finite=True)
        shopper = Shopper(address, tally, Patience(give_up_seconds, resends_max), loop.finished)
        await shopper.open()
        loop.start([shopper], left.set)
        async with asyncio.timeout(10):
            while not left.is_set():
                shopper.overdue(asyncio.get_running_loop().time())
                await asyncio.sleep(0.01)
        return tally


async def test_busy_requests_are_sent_again_and_what_is_sold_is_a_final_answer() -> None:
    tally = await shop(
        answering(
            CODE, BUSY, RECEIPT, reply(409, b'{"error": "sold_out", "message": "item sold out"}')
        ),
        visits=2,
    )
    assert (tally.now.pairs, tally.now.good, tally.resent) == (1, 2, 1)
    assert (tally.now.turned_away, tally.now.errors) == (1, 0)
    assert tally.outcomes()["purchase", 503, "busy"] == 1
    assert tally.receipts == [(1, BODY)]
    assert not tally.unexpected


@pytest.mark.parametrize(
    "refusal",
    [
        reply(503, b'{"error": "busy"}'),
        reply(500, b"oops"),
        reply(409, b'{"error": "limit_exceeded"}'),
        reply(200, b"{}"),
        reply(200, b"["),
    ],
    ids=["503 without Retry-After", "500", "limit", "no code", "no JSON"],
)
async def test_other_replies_are_blamed_and_the_next_visit_goes_on(refusal: bytes) -> None:
    tally = await shop(answering(refusal, CODE, RECEIPT), visits=2)
    assert (tally.now.pairs, tally.now.errors, tally.unexpected.total()) == (1, 1, 1)


async def test_a_request_that_stays_refused_is_given_up_and_said_to_be() -> None:
    tally = await shop(answering(*[BUSY] * 4, CODE, *[BUSY] * 4), visits=2, resends_max=3)
    assert (tally.now.pairs, tally.resent, tally.now.turned_away) == (0, 6, 8)
    assert tally.outcomes()["checkout", 0, "given_up"] == 1
    assert tally.unheard == 1, "the purchase that was given up may have sold"


async def test_a_connection_is_made_again_and_the_same_request_sent() -> None:
    """First a reply that says Connection: close, then a connection cut in place of a reply."""
    targets = []
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        targets.append(await target_of_next(reader))
        if connections == 1:
            writer.write(CODE.replace(b"X-Nothing: 1", b"Connection: close"))
        elif connections == 3:
            writer.write(RECEIPT)
        if connections < 3:
            writer.close()

    tally = await shop(answer, visits=1)
    assert targets == ["/checkout?user_id=a&id=1", *["/purchase?code=c%2F1"] * 2]
    assert (tally.now.pairs, tally.resent) == (1, 1)
    assert tally.outcomes()["purchase", 0, "lost"] == 1


async def test_an_answer_that_never_comes_is_an_error_with_the_wait_as_its_latency() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await target_of_next(reader)

    tally = await shop(answer, visits=1, resends_max=1, give_up_seconds=0.1)
    assert tally.outcomes()["checkout", 0, "timeout"] == 2
    assert tally.outcomes()["checkout", 0, "given_up"] == 1
    assert sum(tally.latencies("checkout").values()) == 2


async def test_what_was_not_tried_in_time_is_counted() -> None:
    tally = Tally()
    wish = Wish("checkout", b"", 1)
    loop = ClosedLoop(iter([wish] * 7), tally, seconds=0.0, finite=True)
    shopper = Shopper(Address.parse("http://x"), tally, Patience(1.0, 1), loop.finished)
    done = asyncio.Event()
    loop.start([shopper], done.set)
    loop.stop()
    assert (tally.not_tried, done.is_set()) == (7, True)


async def test_a_gateway_in_front_that_throttles_has_turned_the_visitor_away() -> None:
    """Its 429 and 503 have neither our words nor Retry-After: an ordinary pause, and again."""
    tally = await shop(answering(reply(429, b'{"message": null}'), CODE, RECEIPT), visits=1)
    assert (tally.now.pairs, tally.now.turned_away, tally.now.errors) == (1, 1, 0)
