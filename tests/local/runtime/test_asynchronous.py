"""An accepted event is run, run again as its function says, and put aside if that was in vain."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from local.functions import load_functions
from local.runtime.asynchronous import AsyncInvocations, accept
from local.runtime.context import region
from local.runtime.options import Options
from local.template import Template
from tests.local.conftest import Add

# Notes each run's request id beside itself, and fails as often as its event says.
NOTES = """
import pathlib

runs = pathlib.Path(__file__).with_name("runs")

def handler(event, context):
    with runs.open("a") as file:
        file.write(context.aws_request_id + "\\n")
    if len(runs.read_text().split()) <= event["fails"]:
        raise ValueError("not yet")
"""

OPTIONS = Options(function_concurrency="template")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))


@contextlib.asynccontextmanager
async def running(folder: Path, retry_seconds: float = 0.05) -> AsyncIterator[None]:
    """Runs what the data folder has, while the block lasts."""
    functions = load_functions(Template.read(folder / "template.yaml"), OPTIONS)
    invocations = AsyncInvocations(
        lambda: functions, folder=folder / "data", retry_seconds=retry_seconds
    )
    task = asyncio.create_task(invocations.run())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.01)


def runs(folder: Path, name: str) -> list[str]:
    file = folder / "functions" / name / "runs"
    return file.read_text().split() if file.exists() else []


def waiting(folder: Path) -> list[Path]:
    return list((folder / "data" / "async").iterdir())


def dead(folder: Path) -> list[dict[str, Any]]:
    file = folder / "data" / "dead-letters.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def test_it_is_run_again_until_it_succeeds_under_one_request_id(
    add: Add, tmp_path: Path
) -> None:
    add("Notes", code=NOTES)
    request_id = accept(tmp_path / "data", "Notes", {"fails": 2})
    async with running(tmp_path):
        await until(lambda: not waiting(tmp_path))
    assert runs(tmp_path, "notes") == [request_id] * 3
    assert dead(tmp_path) == []


async def test_what_fails_for_good_is_put_aside_as_lambda_records_it(
    add: Add, tmp_path: Path
) -> None:
    add("Notes", code=NOTES)
    request_id = accept(tmp_path / "data", "Notes", {"fails": 9})
    async with running(tmp_path):
        await until(lambda: dead(tmp_path))
        await until(lambda: not waiting(tmp_path))
    (record,) = dead(tmp_path)
    assert len(record.pop("timestamp")) == len("2019-11-14T18:16:05.568Z")
    trace = record["responsePayload"].pop("stackTrace")
    assert len(trace) == 1
    assert "in handler" in trace[0]
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"arn:aws:lambda:{region()}:000000000000:function:Notes:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"fails": 9},
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {
            "errorMessage": "not yet",
            "errorType": "ValueError",
            "requestId": request_id,
        },
    }


@pytest.mark.parametrize(
    ("config", "retry_seconds", "attempts", "condition"),
    [
        ({"MaximumRetryAttempts": 0}, 0.05, 1, "RetriesExhausted"),
        ({"MaximumRetryAttempts": 1}, 0.05, 2, "RetriesExhausted"),
        ({"MaximumEventAgeInSeconds": 60}, 100, 1, "EventAgeExceeded"),
    ],
)
async def test_the_template_says_how_often_and_how_long(
    add: Add,
    tmp_path: Path,
    config: dict[str, int],
    retry_seconds: float,
    attempts: int,
    condition: str,
) -> None:
    add("Notes", code=NOTES, EventInvokeConfig=config)
    accept(tmp_path / "data", "Notes", {"fails": 9})
    async with running(tmp_path, retry_seconds):
        await until(lambda: dead(tmp_path))
    assert dead(tmp_path)[0]["requestContext"]["condition"] == condition
    assert len(runs(tmp_path, "notes")) == attempts


async def test_an_event_outlives_the_process_that_ran_it(add: Add, tmp_path: Path) -> None:
    """Ended between two attempts, it goes on counting where it was."""
    add("Notes", code=NOTES)
    accept(tmp_path / "data", "Notes", {"fails": 9})
    async with running(tmp_path, retry_seconds=0.3):
        await until(lambda: runs(tmp_path, "notes"))
        (file,) = waiting(tmp_path)
        await until(lambda: json.loads(file.read_text())["due"] > 0)
    async with running(tmp_path):
        await until(lambda: dead(tmp_path))
    assert dead(tmp_path)[0]["requestContext"]["approximateInvokeCount"] == 3
    assert len(runs(tmp_path, "notes")) == 3


async def test_a_function_that_is_throttled_is_waited_for_and_one_that_is_off_is_not(
    add: Add, tmp_path: Path
) -> None:
    slow = f"import time\n{NOTES}    time.sleep(0.5)\n"
    add("Narrow", code=slow, ReservedConcurrentExecutions=1, Timeout=10)
    add("Off", code=NOTES, ReservedConcurrentExecutions=0)
    accepted = {accept(tmp_path / "data", "Narrow", {"fails": 0}) for _ in range(2)}
    accept(tmp_path / "data", "Off", {"fails": 0})
    async with running(tmp_path):
        await until(lambda: not waiting(tmp_path))
    assert set(runs(tmp_path, "narrow")) == accepted
    assert runs(tmp_path, "off") == []
    (record,) = dead(tmp_path)
    assert record["responsePayload"]["errorType"] == "TooManyRequestsException"


async def test_an_event_for_a_function_that_is_gone_is_put_aside(add: Add, tmp_path: Path) -> None:
    add("Notes", code=NOTES)
    accept(tmp_path / "data", "Gone", {})
    async with running(tmp_path):
        await until(lambda: dead(tmp_path))
    assert dead(tmp_path)[0]["responsePayload"]["errorType"] == "ResourceNotFoundException"
