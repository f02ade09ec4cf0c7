"""ReservedConcurrentExecutions: so many at once, on the whole machine, and no more."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from local.functions import load_functions
from local.runtime.errors import ThrottledError
from local.runtime.options import Options
from local.runtime.reserved import Slots
from local.template import Template
from tests.local.conftest import Add, serving

SLOW = """
import asyncio

async def handler(event, context):
    await asyncio.sleep(0.4)
    return "done"
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FUNCTION_CONCURRENCY", "template")


async def test_what_exceeds_it_is_answered_as_an_http_api_answers(add: Add, tmp_path: Path) -> None:
    add("Two", "GET /two", code=SLOW, ReservedConcurrentExecutions=2)
    add("Any", "GET /any", code=SLOW)
    async with serving(tmp_path) as client:
        replies = await asyncio.gather(*(client.get("/two") for _ in range(5)))
        assert sorted(reply.status_code for reply in replies) == [200, 200, 503, 503, 503]
        refused = next(reply for reply in replies if reply.status_code == 503)
        assert refused.json() == {"message": "Service Unavailable"}
        assert (await client.get("/two")).status_code == 200
        others = await asyncio.gather(*(client.get("/any") for _ in range(5)))
        assert {reply.status_code for reply in others} == {200}


async def test_who_invokes_hears_that_there_are_too_many(add: Add, tmp_path: Path) -> None:
    add("None", code=SLOW, ReservedConcurrentExecutions=0)
    (function,) = load_functions(Template.read(tmp_path / "template.yaml"))
    with pytest.raises(ThrottledError, match="Rate Exceeded") as refused:
        await function.invoke({})
    assert refused.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"


async def test_it_is_not_asked_about_unless_wanted(add: Add, tmp_path: Path) -> None:
    add("None", code=SLOW, ReservedConcurrentExecutions=0)
    template = Template.read(tmp_path / "template.yaml")
    (function,) = load_functions(template, Options(function_concurrency="off"))
    assert await function.invoke({}) == "done"


TAKE = """
import sys
from pathlib import Path
from local.runtime.reserved import Slots

slots = Slots(Path(sys.argv[1]), 2)
print(slots.take(), flush=True)
sys.stdin.read()
"""


def test_processes_share_it_and_one_that_is_killed_gives_its_place_back(tmp_path: Path) -> None:
    file = tmp_path / "places" / "Two"
    with subprocess.Popen(
        [sys.executable, "-c", TAKE, file],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"0\n"
        slots = Slots(file, 2)
        assert slots.take() == 1
        assert slots.take() is None
        other.kill()
        other.wait()
    assert slots.take() == 0
    slots.give_back(1)
    assert slots.take() == 1
