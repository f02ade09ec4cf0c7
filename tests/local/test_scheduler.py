"""Schedules of a template fire, with EventBridge's event, and again when a run fails."""

import asyncio
import json
import textwrap
from pathlib import Path

from local.functions import load_functions
from local.scheduler import Scheduler
from local.template import Template

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
          Type: ScheduleV2
          Properties:
            ScheduleExpression: SCHEDULE
            RetryPolicy: {MaximumRetryAttempts: 2}
  Once:
    Type: AWS::Serverless::Function
    Metadata: {InvokeOn: deploy}
    Properties: {CodeUri: once, Handler: app.handler}
"""

# Writes its events to a file, and fails the first time.
FUNCTION = """
    import json, pathlib
    runs = pathlib.Path(__file__).with_name("runs")

    def handler(event, context):
        before = runs.read_text() if runs.exists() else ""
        runs.write_text(before + json.dumps(event) + "\\n")
        if FAILS and not before:
            raise RuntimeError("the first run fails")
"""


def make(folder: Path, *, schedule: str, fails: bool = False) -> Scheduler:
    (folder / "template.yaml").write_text(TEMPLATE.replace("SCHEDULE", schedule))
    for name in ("tick", "once"):
        (folder / name).mkdir()
        code = textwrap.dedent(FUNCTION).replace("FAILS", str(fails))
        (folder / name / "app.py").write_text(code)
    return Scheduler(load_functions(Template.read(folder / "template.yaml")))


def runs(folder: Path, name: str) -> list[dict[str, object]]:
    file = folder / name / "runs"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def test_a_start_does_what_a_deployment_does_and_makes_up_for_missed_runs(
    tmp_path: Path,
) -> None:
    await make(tmp_path, schedule="cron(0 * * * ? *)").deploy()
    assert len(runs(tmp_path, "once")) == 1
    (event,) = runs(tmp_path, "tick")
    assert event["source"] == "aws.scheduler"
    assert event["detail-type"] == "Scheduled Event"


async def test_a_failed_run_is_tried_again(tmp_path: Path) -> None:
    due = "at(2026-01-01T00:00:00)"
    scheduler = make(tmp_path, schedule=due, fails=True)
    function = scheduler.functions[0]
    await scheduler.invoke(function, function.spec.schedules[0])
    assert len(runs(tmp_path, "tick")) == 2


async def test_a_schedule_fires_by_the_clock(tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    soon = datetime.now(UTC) + timedelta(seconds=2)
    scheduler = make(tmp_path, schedule=f"at({soon:%Y-%m-%dT%H:%M:%S})")
    async with asyncio.timeout(10):
        await scheduler.run()  # returns when no schedule has anything left
    assert len(runs(tmp_path, "tick")) == 1
