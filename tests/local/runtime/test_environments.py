"""Environments come and go as the load asks, and what happens in one stays in it."""

import asyncio
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local.environment import ROOT
from local.runtime.errors import FunctionError, ThrottledError, TimeLimitError
from tests.local.conftest import Add
from tests.local.runtime.conftest import OPTIONS, Running

# Does what its event says, and tells which process it was and how often that was used.
BUSY = """
import os, time

used = 0
kept = []

def handler(event, context):
    global used
    used += 1
    time.sleep(event.get("sleep", 0))
    if "exit" in event:
        os._exit(event["exit"])
    if "signal" in event:
        os.kill(os.getpid(), event["signal"])
    if "raise" in event:
        raise LookupError(event["raise"])
    if "keep_mb" in event:
        kept.append(b"x" * (event["keep_mb"] << 20))
        time.sleep(5)
    return {"pid": os.getpid(), "used": used, "body": "x" * event.get("long", 0)}
"""


async def until(condition: object, seconds_max: float = 10) -> None:
    async with asyncio.timeout(seconds_max):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def test_one_after_another_share_an_environment(add: Add, running: Running) -> None:
    add("One", code=BUSY)
    async with running() as cloud:
        told = [await cloud.invoke("One") for _ in range(3)]
    assert [each["used"] for each in told] == [1, 2, 3]
    assert len({each["pid"] for each in told}) == 1


async def test_at_once_each_has_one_of_its_own_up_to_the_limit(add: Add, running: Running) -> None:
    add("Many", code=BUSY)
    async with running() as cloud:
        three = await cloud.crowd("Many", 3, {"sleep": 0.5})
        assert len({each["pid"] for each in three}) == 3
        nine = await cloud.crowd("Many", 9, {"sleep": 0.5})
        assert {each["pid"] for each in nine} == cloud.pool.pids
        assert len(cloud.pool.pids) == OPTIONS.lambda_environments


async def test_the_last_one_used_is_used_next_so_that_the_others_end(
    add: Add, running: Running
) -> None:
    add("Few", code=BUSY)
    async with running(dataclasses.replace(OPTIONS, lambda_idle_seconds=1)) as cloud:
        await cloud.crowd("Few", 3, {"sleep": 0.3})

        async def only_one() -> int:
            while True:
                pid: int = (await cloud.invoke("Few"))["pid"]
                if cloud.pool.pids == {pid}:
                    return pid
                await asyncio.sleep(0.05)

        async with asyncio.timeout(10):
            last = await only_one()
        assert psutil.pid_exists(last)


async def test_a_function_that_has_none_gets_the_place_of_another_one(
    add: Add, running: Running
) -> None:
    """Though that one has always somebody waiting."""
    add("Greedy", code=BUSY, Timeout=30)
    add("Modest", code=BUSY, Timeout=30)
    async with running(dataclasses.replace(OPTIONS, lambda_environments=2)) as cloud:
        crowd = asyncio.ensure_future(cloud.crowd("Greedy", 40, {"sleep": 0.1}))
        await until(lambda: len(cloud.pool.pids) == 2)
        async with asyncio.timeout(10):
            told = await cloud.invoke("Modest")
        assert not crowd.done()
        assert told["used"] == 1
        await crowd


async def test_what_takes_too_long_is_ended_and_its_caller_told(add: Add, running: Running) -> None:
    add("Slow", code=BUSY, Timeout=1)
    async with running() as cloud:
        before = await cloud.invoke("Slow")
        with pytest.raises(TimeLimitError):
            await cloud.invoke("Slow", {"sleep": 30})
        await until(lambda: not psutil.pid_exists(before["pid"]))
        assert (await cloud.invoke("Slow"))["pid"] != before["pid"]


@pytest.mark.parametrize(
    ("event", "how"),
    [
        ({"exit": 3}, "exit status 3"),
        ({"exit": 0}, "exit status 0"),
        ({"signal": 9}, "signal: killed"),
    ],
)
async def test_a_process_that_ends_fails_its_invocation_and_is_replaced(
    add: Add, running: Running, event: dict[str, int], how: str
) -> None:
    add("Ends", code=BUSY)
    async with running() as cloud:
        with pytest.raises(FunctionError) as failed:
            await cloud.invoke("Ends", event)
        assert failed.value.payload["errorType"] == "Runtime.ExitError"
        assert failed.value.payload["errorMessage"].endswith(f"Runtime exited with error: {how}")
        assert (await cloud.invoke("Ends"))["used"] == 1


async def test_more_memory_than_the_template_gives_ends_it(add: Add, running: Running) -> None:
    add("Hungry", code=BUSY, MemorySize=128, Timeout=20)
    async with running() as cloud:
        with pytest.raises(FunctionError) as failed:
            await cloud.invoke("Hungry", {"keep_mb": 150})
        assert failed.value.payload["errorMessage"].endswith("signal: killed")


async def test_an_error_is_told_as_lambda_tells_it(add: Add, running: Running) -> None:
    add("Raises", code=BUSY)
    async with running() as cloud:
        with pytest.raises(FunctionError) as failed:
            await cloud.invoke("Raises", {"raise": "nothing here"})
        payload = failed.value.payload
        assert (payload["errorType"], payload["errorMessage"]) == ("LookupError", "nothing here")
        assert "in handler" in payload["stackTrace"][0]
        assert (await cloud.invoke("Raises"))["used"] == 2  # the environment lives on


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import nothing_of_that_name", "Runtime.ImportModuleError"),
        ("def handler(event, context) pass", "Runtime.UserCodeSyntaxError"),
        ("", "Runtime.HandlerNotFound"),
        ("raise OSError('no disk')", "OSError"),
        ("import os; os._exit(7)", "Runtime.ExitError"),
    ],
)
async def test_a_function_that_cannot_be_loaded_fails_each_invocation(
    add: Add, running: Running, code: str, kind: str
) -> None:
    add("Broken", code=code)
    add("Sound", code=BUSY)
    async with running() as cloud:
        for _ in range(2):
            with pytest.raises(FunctionError) as failed:
                await cloud.invoke("Broken")
            assert failed.value.payload["errorType"] == kind
        assert (await cloud.invoke("Sound"))["used"] == 1


async def test_a_result_beyond_lambdas_limit_is_an_error(add: Add, running: Running) -> None:
    add("Long", code=BUSY)
    async with running() as cloud:
        assert len((await cloud.invoke("Long", {"long": 6_000_000}))["body"]) == 6_000_000
        with pytest.raises(FunctionError) as failed:
            await cloud.invoke("Long", {"long": 7_000_000})
        assert failed.value.payload["errorType"] == "Function.ResponseSizeTooLarge"
        assert (await cloud.invoke("Long"))["body"] == ""


async def test_nothing_is_left_when_the_pool_is_closed(add: Add, running: Running) -> None:
    add("Gone", code=BUSY)
    async with running() as cloud:
        await cloud.crowd("Gone", 3, {"sleep": 0.2})
        pids = cloud.pool.pids
        assert pids
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


async def test_whoever_waits_is_told_when_the_pool_is_closed(add: Add, running: Running) -> None:
    add("Late", code=BUSY, Timeout=30)
    async with running(dataclasses.replace(OPTIONS, lambda_environments=1)) as cloud:
        await cloud.invoke("Late")
        both = [asyncio.ensure_future(cloud.invoke("Late", {"sleep": 30})) for _ in range(2)]
        await until(lambda: cloud.pool.waiting == 1)
        pids = cloud.pool.pids
        await cloud.pool.close()
        told = await asyncio.gather(*both, return_exceptions=True)
    assert [type(each) for each in told] == [FunctionError, ThrottledError]
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


OWNER = """
import asyncio, sys
from pathlib import Path
from local.runtime.options import Options
from tests.local.runtime.conftest import Lambda

async def main():
    cloud = Lambda(Path(sys.argv[1]), Path(sys.argv[2]), Options(function_runtime="lambda"))
    print((await cloud.invoke("Orphan"))["pid"], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_environments_end_with_their_owner_even_if_it_is_killed(
    add: Add, tmp_path: Path, build: Path
) -> None:
    add("Orphan", code=BUSY)
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, tmp_path, build],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        environment = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    environment.wait(5)


async def test_several_functions_can_be_one_after_another_in_one_place(
    add: Add, running: Running
) -> None:
    """With room for one environment alone, every function still gets its turn."""
    for name in ("A", "B", "C"):
        add(name, code=BUSY)
    async with running(dataclasses.replace(OPTIONS, lambda_environments=1)) as cloud:
        async with asyncio.timeout(20):
            told = await asyncio.gather(*(cloud.invoke(name) for name in ("A", "B", "C") * 2))
    assert len({each["pid"] for each in told}) >= 3
