"""One connection to Redis for everybody: it travels full, heals, and says what it knows."""

import asyncio
import dataclasses
import socket
import traceback
from collections.abc import Awaitable, Callable

import pytest
import redis
from flashsale.config import Settings
from flashsale.errors import Overloaded, StoreDown, StoreSilent
from flashsale.inventory.connection import ReplyError
from flashsale.inventory.pipeline import Pipeline

WaitUntil = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


async def test_commands_issued_together_travel_together_and_in_order(
    pipeline: Pipeline, redis_client: "redis.Redis"
) -> None:
    await pipeline.execute("PING")

    def reads() -> int:
        return int(redis_client.info("stats")["total_reads_processed"])

    before = reads()
    asked = [pipeline.execute("APPEND", "text", f"{number},") for number in range(100)]
    lengths = await asyncio.gather(*asked)
    assert reads() - before <= 3  # one write may arrive in two parts, and INFO is one itself
    assert lengths == sorted(lengths)
    assert redis_client.get("text") == "".join(f"{number}," for number in range(100)).encode()
    redis_client.delete("text")


async def test_an_error_reply_belongs_to_its_own_command(pipeline: Pipeline) -> None:
    answers = await asyncio.gather(
        pipeline.execute("SET", "number", "one", "EX", 60),
        pipeline.execute("INCR", "number"),
        pipeline.execute("GET", "number"),
        pipeline.execute("NO SUCH COMMAND"),
        pipeline.execute("EVAL", "return redis.error_reply('mine')", 0),
        pipeline.execute("ECHO", "last"),
        return_exceptions=True,
    )
    assert (answers[0], answers[2], answers[5]) == (b"OK", b"one", b"last")
    assert all(isinstance(answers[place], ReplyError) for place in (1, 3, 4))
    assert "not an integer" in str(answers[1])


async def test_a_connection_that_the_server_closed_while_idle_is_made_anew(
    pipeline: Pipeline, redis_client: "redis.Redis"
) -> None:
    for _ in range(3):
        await pipeline.execute("PING")
        assert redis_client.client_kill_filter(_type="normal", skipme=True) == 1
        answers = await asyncio.gather(*(pipeline.execute("ECHO", n) for n in range(20)))
        assert answers == [str(n).encode() for n in range(20)]


async def test_what_a_broken_connection_carried_is_sent_again(
    pipeline: Pipeline, redis_client: "redis.Redis", wait_until: WaitUntil
) -> None:
    """The connection is cut while the server holds a command of it back."""

    async def is_blocked() -> bool:
        return bool(redis_client.info("clients")["blocked_clients"] == 1)

    await pipeline.execute("PING")
    asked = asyncio.gather(pipeline.execute("BLPOP", "queue", 0), pipeline.execute("ECHO", "next"))
    await wait_until(is_blocked)
    assert redis_client.client_kill_filter(_type="normal", skipme=True) == 1
    await wait_until(is_blocked)
    redis_client.rpush("queue", "arrived")
    assert list(await asked) == [[b"queue", b"arrived"], b"next"]


async def test_a_caller_that_gave_up_gets_nobody_else_s_reply(
    pipeline: Pipeline, redis_client: "redis.Redis", wait_until: WaitUntil
) -> None:
    async def is_blocked() -> bool:
        return bool(redis_client.info("clients")["blocked_clients"] == 1)

    gone = asyncio.ensure_future(pipeline.execute("BLPOP", "queue", 0))
    await wait_until(is_blocked)
    waiting = asyncio.gather(*(pipeline.execute("ECHO", n) for n in range(5)))
    gone.cancel()
    redis_client.rpush("queue", "for nobody")
    assert await waiting == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_server_that_is_not_there_did_nothing(deserted: Settings) -> None:
    pipeline = Pipeline(deserted)
    answers = await asyncio.gather(
        *(pipeline.execute("PING") for _ in range(5)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {StoreDown}


async def test_a_wrong_password_is_told_and_not_shown(redis_settings: Settings) -> None:
    pipeline = Pipeline(dataclasses.replace(redis_settings, redis_password="canary"))
    with pytest.raises(StoreDown, match="wrong password") as caught:
        await pipeline.execute("PING")
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    await pipeline.close()


async def test_a_server_that_takes_in_everything_and_says_nothing_did_nothing(
    redis_settings: Settings,
) -> None:
    """It has not even said who it is, so that nothing else was asked of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        for password in ("", "x"):
            silent = dataclasses.replace(
                redis_settings, redis_addr=address, redis_timeout_ms=50, redis_password=password
            )
            with pytest.raises(StoreDown):
                await Pipeline(silent).execute("PING")


async def test_after_a_silence_the_late_reply_is_not_taken_for_the_next_command_s(
    redis_settings: Settings, redis_client: "redis.Redis", wait_until: WaitUntil
) -> None:
    pipeline = Pipeline(dataclasses.replace(redis_settings, redis_timeout_ms=100))
    await pipeline.execute("PING")
    redis_client.client_pause(300, all=True)
    with pytest.raises(StoreSilent):
        await pipeline.execute("ECHO", "late")

    async def answers() -> bool:
        try:
            return bool(await pipeline.execute("ECHO", "new") == b"new")
        except (StoreDown, StoreSilent):
            return False

    await wait_until(answers)
    await pipeline.close()


async def test_replies_that_came_stand_when_the_rest_never_come(redis_settings: Settings) -> None:
    """A server that dies between two replies, and is not there again for a second try: it is not
    known what became of the commands it was sent and did not answer."""
    server: asyncio.Server

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"server\r\n")
        writer.write(b"$0\r\n\r\n")  # it does not say which run of Redis it is
        await reader.readuntil(b"PING\r\n")
        writer.write(b"+PONG\r\n")
        await reader.readuntil(b"third\r\n")
        writer.write(b"+first\r\n")
        server.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pipeline = Pipeline(
        dataclasses.replace(redis_settings, redis_addr=f"127.0.0.1:{port}", redis_password="")
    )
    await pipeline.execute("PING")
    first, *others = await asyncio.gather(
        *(pipeline.execute("ECHO", text) for text in ("first", "second", "third")),
        return_exceptions=True,
    )
    assert first == b"first"
    assert [type(other) for other in others] == [StoreSilent, StoreSilent]


async def test_too_many_that_wait_are_refused(redis_settings: Settings) -> None:
    pipeline = Pipeline(dataclasses.replace(redis_settings, waiting_max=10))
    answers = await asyncio.gather(
        *(pipeline.execute("PING") for _ in range(15)), return_exceptions=True
    )
    assert answers[:10] == [b"PONG"] * 10
    assert {type(answer) for answer in answers[10:]} == {Overloaded}
    await pipeline.close()
