"""Schedules of a template fire, with EventBridge's event, and again when a run fails."""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.functions import load_functions
from local.runs import read_notes
from local.scheduler import Scheduler
from local.template import Template, TemplateError

NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
TEMPLATE = """
Resources:
  Tick:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: tick
      Handler: app.handler
      Timeout: 5
      Events:
        Often:
          Type: KIND
          Properties: {PROPERTIES}
  Once:
    Type: AWS::Serverless::Function
    Metadata: {InvokeOn: deploy}
    Properties: {CodeUri: once, Handler: app.handler}
"""

# Writes its events to a file, and fails the first few times.
FUNCTION = """
    import json, pathlib
    runs = pathlib.Path(__file__).with_name("runs")

    def handler(event, context):
        before = runs.read_text() if runs.exists() else ""
        runs.write_text(before + json.dumps(event) + "\\n")
        if before.count("\\n") < FAILURES:
            raise RuntimeError("it is not ready")
"""


class Clock:
    """Stands where a test sets it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def go(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(
    folder: Path,
    properties: str,
    *,
    failures: int = 0,
    kind: str = "ScheduleV2",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Scheduler:
    text = TEMPLATE.replace("PROPERTIES", properties).replace("KIND", kind)
    (folder / "template.yaml").write_text(text)
    for name in ("tick", "once"):
        (folder / name).mkdir(exist_ok=True)
        code = textwrap.dedent(FUNCTION).replace("FAILURES", str(failures))
        (folder / name / "app.py").write_text(code)
    functions = load_functions(Template.read(folder / "template.yaml"))
    return Scheduler(functions, folder=folder, clock=clock, nap_seconds=0.01, retry_seconds=0.01)


def every(expression: str, more: str = "") -> str:
    return f"ScheduleExpression: '{expression}'{more and ', ' + more}"


def runs(folder: Path, name: str = "tick") -> list[Any]:
    file = folder / name / "runs"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def dead_letters(folder: Path) -> list[dict[str, Any]]:
    file = folder / "dead-letters.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def invoke(scheduler: Scheduler, due: datetime = NOW) -> None:
    function = scheduler.functions[0]
    await scheduler.invoke(function.spec.name, function.spec.schedules[0], due)


@contextlib.asynccontextmanager
async def running(scheduler: Scheduler) -> AsyncIterator[None]:
    task = asyncio.create_task(scheduler.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited 10 s in vain"
        await asyncio.sleep(0.01)


async def in_vain(condition: Callable[[], bool]) -> None:
    """For 20 looks at the clock, it doesn't come true."""
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert not condition()


# The start


async def test_a_start_does_what_a_deployment_does_and_makes_up_for_missed_runs(
    tmp_path: Path,
) -> None:
    await make(tmp_path, every("cron(0 * * * ? *)")).deploy()
    assert len(runs(tmp_path, "once")) == 1
    (event,) = runs(tmp_path)
    assert event["source"] == "aws.scheduler"


@pytest.mark.parametrize(
    "properties",
    [
        every("rate(1 minute)", "State: DISABLED"),
        every("rate(1 minute)", "StartDate: '2030-01-01T00:00:00Z'"),
        every("rate(1 minute)", "EndDate: '2020-01-01T00:00:00Z'"),
        every("at(2020-01-01T00:00:00)"),
        every("at(2030-01-01T00:00:00)"),
    ],
)
async def test_a_start_runs_nothing_that_was_not_to_run(
    tmp_path: Path, clock: Clock, properties: str
) -> None:
    await make(tmp_path, properties, clock=clock).deploy()
    assert runs(tmp_path) == []


async def test_an_at_that_came_while_the_scheduler_was_off_is_made_up_for_once(
    tmp_path: Path, clock: Clock
) -> None:
    properties = every("at(2026-11-22T13:00:00)")
    async with running(make(tmp_path, properties, clock=clock)):
        await until(lambda: "pending" in read_notes(tmp_path).get("TickOften", {}))
    clock.go(hours=2)  # a crash, a night
    for _ in range(2):
        await make(tmp_path, properties, clock=clock).deploy()
        assert len(runs(tmp_path)) == 1


# When it fires


async def test_a_schedule_fires_by_the_clock(tmp_path: Path, clock: Clock) -> None:
    async with running(make(tmp_path, every("cron(* * * * ? *)"), clock=clock)):
        await in_vain(lambda: bool(runs(tmp_path)))
        clock.go(seconds=30)
        await until(lambda: len(runs(tmp_path)) == 1)
        clock.go(seconds=59)
        await in_vain(lambda: len(runs(tmp_path)) > 1)
        clock.go(seconds=1)
        await until(lambda: len(runs(tmp_path)) == 2)
    assert [run["time"] for run in runs(tmp_path)] == [
        "2026-11-22T12:01:00Z",
        "2026-11-22T12:02:00Z",
    ]


async def test_after_a_sleep_a_late_run_is_made_up_for_once(tmp_path: Path, clock: Clock) -> None:
    """The laptop slept for five hours, or somebody has set the clock: one run, then the beat."""
    async with running(make(tmp_path, every("cron(0 * * * ? *)"), clock=clock)):
        await in_vain(lambda: bool(runs(tmp_path)))
        clock.go(hours=5, minutes=10)
        await until(lambda: len(runs(tmp_path)) == 1)
        await in_vain(lambda: len(runs(tmp_path)) > 1)
        clock.go(minutes=50)
        await until(lambda: len(runs(tmp_path)) == 2)
    assert runs(tmp_path)[1]["time"] == "2026-11-22T18:00:00Z"


async def test_a_clock_that_is_put_back_repeats_nothing(tmp_path: Path, clock: Clock) -> None:
    async with running(make(tmp_path, every("rate(1 minute)"), clock=clock)):
        await asyncio.sleep(0.05)
        clock.go(minutes=1)
        await until(lambda: len(runs(tmp_path)) == 1)
        clock.go(minutes=-1)
        clock.go(seconds=59)
        await in_vain(lambda: len(runs(tmp_path)) > 1)
        clock.go(seconds=61)
        await until(lambda: len(runs(tmp_path)) == 2)


async def test_a_rate_begins_at_its_start_and_ends_at_its_end(tmp_path: Path, clock: Clock) -> None:
    properties = every(
        "rate(1 hour)", "StartDate: '2026-11-22T13:00:00Z', EndDate: 2026-11-22T14:00:00Z"
    )
    async with running(make(tmp_path, properties, clock=clock)):
        for minutes, count in ((59, 0), (1, 1), (60, 2), (60, 2), (60, 2)):
            await asyncio.sleep(0.05)
            clock.go(minutes=minutes)
            await until(lambda count=count: len(runs(tmp_path)) >= count)  # type: ignore[misc]
            await in_vain(lambda count=count: len(runs(tmp_path)) > count)  # type: ignore[misc]
    assert [run["time"][11:16] for run in runs(tmp_path)] == ["13:00", "14:00"]


async def test_a_window_delays_a_run_and_not_its_scheduled_time(
    tmp_path: Path, clock: Clock
) -> None:
    window = "FlexibleTimeWindow: {Mode: FLEXIBLE, MaximumWindowInMinutes: 60}"
    scheduler = make(tmp_path, every("cron(1 12 * * ? *)", window), clock=clock)
    schedule = scheduler.functions[0].spec.schedules[0]
    delays = [schedule.delay() for _ in range(200)]
    assert timedelta() <= min(delays) < timedelta(minutes=15)
    assert timedelta(minutes=45) < max(delays) <= timedelta(minutes=60)
    async with running(scheduler):
        await asyncio.sleep(0.05)
        clock.go(minutes=62)
        await until(lambda: len(runs(tmp_path)) == 1)
    assert runs(tmp_path)[0]["time"] == "2026-11-22T12:01:00Z"


async def test_a_run_that_is_tried_again_does_not_hold_up_the_next(
    tmp_path: Path, clock: Clock
) -> None:
    scheduler = make(tmp_path, every("rate(1 minute)"), failures=1, clock=clock)
    scheduler._retry_seconds = 1_000
    async with running(scheduler):
        for count in (1, 2):
            await asyncio.sleep(0.05)
            clock.go(minutes=1)
            await until(lambda count=count: len(runs(tmp_path)) == count)  # type: ignore[misc]


# What the function gets


async def test_the_event_of_a_schedule_is_event_bridge_scheduler_s(tmp_path: Path) -> None:
    await invoke(make(tmp_path, every("rate(1 hour)", "Name: hourly")))
    (event,) = runs(tmp_path)
    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "000000000000",
        "time": "2026-11-22T12:00:30Z",
        "region": "local",
        "resources": ["arn:aws:scheduler:local:000000000000:schedule/default/hourly"],
        "detail": "{}",
    }


async def test_the_event_of_a_rule_is_event_bridge_s(tmp_path: Path) -> None:
    await invoke(make(tmp_path, "Schedule: rate(1 hour)", kind="Schedule"))
    (event,) = runs(tmp_path)
    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": "2026-11-22T12:00:30Z",
        "region": "local",
        "resources": ["arn:aws:events:local:000000000000:rule/TickOften"],
        "detail": {},
    }


async def test_keywords_in_the_input_are_replaced(tmp_path: Path) -> None:
    keywords = "schedule-arn scheduled-time execution-id attempt-number".split()
    own = json.dumps({word: f"<aws.scheduler.{word}>" for word in keywords})
    numbered = own.replace('"<aws.scheduler.attempt-number>"', "<aws.scheduler.attempt-number>")
    properties = every("rate(1 hour)", f"GroupName: shop, Input: '{numbered}'")
    await invoke(make(tmp_path, properties, failures=1))
    first, second = runs(tmp_path)
    assert first["schedule-arn"].endswith(":schedule/shop/TickOften")
    assert first["scheduled-time"] == "2026-11-22T12:00:30Z"
    assert (first["attempt-number"], second["attempt-number"]) == (1, 2)
    assert len(first["execution-id"]) == 16
    assert first["execution-id"] != second["execution-id"]


async def test_a_rule_replaces_no_keywords_and_takes_any_json(tmp_path: Path) -> None:
    own = '["<aws.scheduler.scheduled-time>", 1]'
    await invoke(make(tmp_path, f"Schedule: rate(1 hour), Input: '{own}'", kind="Schedule"))
    assert runs(tmp_path) == [["<aws.scheduler.scheduled-time>", 1]]


# When it fails


async def test_a_failed_run_is_tried_again(tmp_path: Path) -> None:
    scheduler = make(tmp_path, every("rate(1 hour)"), failures=2)
    await invoke(scheduler)
    assert len(runs(tmp_path)) == 3
    assert scheduler.runs["TickOften"]["outcome"] == "ok"
    assert scheduler.runs["TickOften"]["attempts"] == 3
    assert dead_letters(tmp_path) == []


async def test_after_its_last_retry_the_event_is_a_dead_letter(tmp_path: Path) -> None:
    policy = "RetryPolicy: {MaximumRetryAttempts: 2}, DeadLetterConfig: {Type: SQS}"
    scheduler = make(tmp_path, every("rate(1 hour)", policy), failures=9)
    await invoke(scheduler)
    assert len(runs(tmp_path)) == 3
    (letter,) = dead_letters(tmp_path)
    assert letter["event"] == runs(tmp_path)[-1]
    assert (letter["source"], letter["function"]) == ("schedule", "Tick")
    assert letter["attributes"] == {
        "SCHEDULE_ARN": "arn:aws:scheduler:local:000000000000:schedule/default/TickOften",
        "SCHEDULED_TIME": "2026-11-22T12:00:30Z",
        "RETRY_ATTEMPTS": 2,
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "ERROR_CODE": "RuntimeError",
        "ERROR_MESSAGE": "it is not ready",
    }
    note = scheduler.runs["TickOften"]
    assert (note["outcome"], note["error"]) == ("failed", "RuntimeError: it is not ready")
    assert (tmp_path / "dead-letters.jsonl").stat().st_mode & 0o777 == 0o600


async def test_no_retry_starts_past_the_event_s_age(tmp_path: Path) -> None:
    scheduler = make(tmp_path, every("rate(1 hour)", "DeadLetterConfig: {Type: SQS}"), failures=9)
    (schedule,) = scheduler.functions[0].spec.schedules
    # Less than a template may say, so that the test need not wait a minute.
    await scheduler.invoke("Tick", dataclasses.replace(schedule, age_seconds_max=0), NOW)
    assert len(runs(tmp_path)) == 1
    (letter,) = dead_letters(tmp_path)
    assert letter["attributes"]["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"
    assert letter["attributes"]["RETRY_ATTEMPTS"] == 0


async def test_without_a_dead_letter_config_the_event_is_gone(tmp_path: Path) -> None:
    policy = "RetryPolicy: {MaximumRetryAttempts: 0}"
    await invoke(make(tmp_path, every("rate(1 hour)", policy), failures=9))
    assert len(runs(tmp_path)) == 1
    assert dead_letters(tmp_path) == []


# Its template


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (every("cron(61 * * * ? *)"), "61 is no minute"),
        (every("rate(1 hour)", "State: OFF"), "State is ENABLED or DISABLED"),
        (every("rate(1 hour)", "StartDate: soon"), "StartDate is a time such as"),
        (every("rate(1 hour)", "Input: '{'"), "Input is no JSON"),
        (every("rate(1 hour)", "Input: !Ref Nobody"), "has a Input that is not known here"),
        (every("rate(1 hour)", "RetryPolicy: {MaximumRetryAttempts: 186}"), "0 to 185, not 186"),
        (every("rate(1 hour)", "RetryPolicy: {MaximumEventAgeInSeconds: 59}"), "60 to 86400"),
        (every("rate(1 hour)", "FlexibleTimeWindow: {Mode: FLEXIBLE}"), "MaximumWindowInMinutes"),
        (every("rate(1 hour)", "FlexibleTimeWindow: {Mode: LOOSE}"), "OFF or FLEXIBLE, not LOOSE"),
        (every("rate(1 hour)", "ScheduleExpressionTimezone: Mars"), "'Mars' is no time zone"),
    ],
)
def test_what_a_schedule_can_t_mean_is_refused_by_name(
    tmp_path: Path, properties: str, reason: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        make(tmp_path, properties)
    assert "TickOften" in str(caught.value)
    assert reason in str(caught.value)


def test_event_bridge_s_own_defaults(tmp_path: Path) -> None:
    schedule = make(tmp_path, every("rate(1 hour)")).functions[0].spec.schedules[0]
    assert (schedule.retries_max, schedule.age_seconds_max) == (185, 86_400)


# Its process


async def test_new_functions_take_over_and_what_stays_keeps_its_beat(
    tmp_path: Path, clock: Clock
) -> None:
    """As after a reload: a schedule that is as it was keeps its time, another begins anew, and one
    that is gone fires no more."""
    scheduler = make(tmp_path, every("rate(2 minutes)"), clock=clock)
    async with running(scheduler):
        await asyncio.sleep(0.05)
        clock.go(minutes=1)
        scheduler.replace(make(tmp_path, every("rate(2 minutes)"), clock=clock).functions)
        await asyncio.sleep(0.05)
        clock.go(minutes=1)
        await until(lambda: len(runs(tmp_path)) == 1)
        scheduler.replace(make(tmp_path, every("rate(1 minute)"), clock=clock).functions)
        await asyncio.sleep(0.05)
        clock.go(minutes=1)
        await until(lambda: len(runs(tmp_path)) == 2)
        scheduler.replace([])
        clock.go(hours=1)
        await in_vain(lambda: len(runs(tmp_path)) > 2)


# As `local.scheduler.main` runs, with a template of the test's own.
PROCESS = """
import sys
from pathlib import Path
import local.scheduler
local.scheduler.TEMPLATE = Path(sys.argv[1])
sys.exit(local.scheduler.main())
"""


def test_its_process_without_anything_to_do_stays_until_it_is_told_to_end(tmp_path: Path) -> None:
    make(tmp_path, every("at(2020-01-01T00:00:00)"))
    ready = tmp_path / "ready"
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(tmp_path / "template.yaml")],
        env={**os.environ, "READY_FILE": str(ready), "DATA_DIR": str(tmp_path)},
    )
    deadline = time.monotonic() + 20
    while not ready.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
