"""The local EventBridge Scheduler: one process that invokes functions when template.yaml says so.

`python -m local.scheduler` first does what a deployment does (functions marked `InvokeOn: deploy`),
then what its schedules would have done while it was off, says so by creating the file named in
READY_FILE, and goes on until SIGTERM.
"""

import asyncio
import json
import os
import random
import signal
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.functions import LocalFunction, load_functions
from local.schedule import next_fire
from local.serve import TEMPLATE
from local.template import Schedule, Template

# A laptop sleeps and its clock is set: look at the clock again at least this often.
NAP_SECONDS_MAX = 10.0
RETRY_SECONDS_MAX = 60.0


class Scheduler:
    """Invokes the scheduled functions of a template. A late run is made up for once."""

    def __init__(self, functions: list[LocalFunction]) -> None:
        self.functions = functions
        self._running = 0

    async def deploy(self) -> None:
        """Invoke what a deployment invokes, and everything scheduled once, in order.

        Raises:
            Exception: whatever a function raised.
        """
        for function in self.functions:
            if function.spec.on_deploy:
                await function.invoke({})
        for function in self.functions:
            for schedule in function.spec.schedules[:1]:
                await self._run_once(function, schedule, datetime.now(UTC))

    async def run(self) -> None:
        """Invoke functions at their times until cancelled."""
        async with asyncio.TaskGroup() as group:
            for function in self.functions:
                for schedule in function.spec.schedules:
                    group.create_task(self._follow(function, schedule))

    async def _follow(self, function: LocalFunction, schedule: Schedule) -> None:
        started = after = datetime.now(UTC)
        while True:
            due = next_fire(
                schedule.expression, after=after, started=started, timezone=schedule.timezone
            )
            if due is None:
                return
            await _sleep_until(due)
            await self.invoke(function, schedule, due)
            after = max(due, datetime.now(UTC))

    async def invoke(
        self, function: LocalFunction, schedule: Schedule, due: datetime | None = None
    ) -> None:
        """Run a schedule's function as of `due`, or now, as often as its retry policy allows."""
        from flashsale.logs import logger

        for attempt in range(schedule.retries_max + 1):
            try:
                await self._run_once(function, schedule, due or datetime.now(UTC))
            except Exception:
                logger().exception(
                    "scheduled run failed", extra={"schedule": schedule.name, "attempt": attempt}
                )
                pause = min(2.0**attempt, RETRY_SECONDS_MAX)
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
            else:
                return

    async def _run_once(self, function: LocalFunction, schedule: Schedule, due: datetime) -> None:
        """Invoke, and hold no connection to a store until the next time."""
        from flashsale import bootstrap

        self._running += 1
        try:
            await function.invoke(_event(schedule, due))
        finally:
            self._running -= 1
            if not self._running:
                await bootstrap.close()


async def _sleep_until(due: datetime) -> None:
    while (left := (due - datetime.now(UTC)).total_seconds()) > 0:  # noqa: ASYNC110 - the clock
        await asyncio.sleep(min(left, NAP_SECONDS_MAX))


def _event(schedule: Schedule, due: datetime) -> dict[str, Any]:
    """The event of EventBridge Scheduler, or the schedule's own input."""
    if schedule.input is not None:
        own: dict[str, Any] = json.loads(schedule.input)
        return own
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "000000000000",
        "time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "local",
        "resources": [f"arn:aws:scheduler:local:000000000000:schedule/default/{schedule.name}"],
        "detail": "{}",
    }


async def _main() -> None:
    template = Template.read(TEMPLATE)
    for name, value in template.environment.items():
        os.environ.setdefault(name, value)
    scheduler = Scheduler(load_functions(template))
    await scheduler.deploy()
    if ready := os.environ.get("READY_FILE"):
        Path(ready).touch()  # noqa: ASYNC240 - once, at the start
    task = asyncio.ensure_future(scheduler.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        from flashsale import bootstrap

        await bootstrap.close()


def main() -> int:
    try:
        asyncio.run(_main())
    except Exception as fault:
        # The supervisor shows this line to whoever is starting the service.
        print(fault or type(fault).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
