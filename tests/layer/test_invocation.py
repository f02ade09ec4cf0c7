"""An invocation ends in time, as `asyncio.timeout` would end it, and harms nobody beside it."""

import asyncio

import pytest
from flashsale.invocation import Invocation


async def test_what_takes_too_long_is_ended_and_what_does_not_is_let_be() -> None:
    async def run(seconds: float, limit: float) -> str:
        try:
            with Invocation(limit):
                await asyncio.sleep(seconds)
        except TimeoutError:
            return "too long"
        await asyncio.sleep(0.3)  # whoever looks for late ones looks on
        return "done"

    runs = [run(30, 0.05), run(0.01, 30), run(30, 0.25), run(0, 0)]
    assert await asyncio.gather(*runs) == ["too long", "done", "too long", "done"]


async def test_somebody_elses_cancellation_stays_one() -> None:
    async def run() -> None:
        with Invocation(30):
            await asyncio.sleep(30)

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_was_ended_can_wait_again() -> None:
    with pytest.raises(TimeoutError), Invocation(0.01):
        await asyncio.sleep(30)
    await asyncio.sleep(0.01)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_error_of_its_own_passes() -> None:
    async def run() -> None:
        with Invocation(1):
            await asyncio.sleep(0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run()


def test_a_loop_that_stops_between_two_as_in_lambda_still_ends_the_second() -> None:
    loop = asyncio.new_event_loop()

    async def run(seconds: float) -> None:
        with Invocation(0.05):
            await asyncio.sleep(seconds)

    loop.run_until_complete(run(0))
    with pytest.raises(TimeoutError):
        loop.run_until_complete(run(30))
    loop.close()
