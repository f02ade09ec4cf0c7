"""The local EventBridge Scheduler: one process that invokes functions when template.yaml says so.

`python -m local.scheduler` first does what a deployment does (functions marked `InvokeOn: deploy`),
then what its schedules would have done while it was off, says so by creating the file named in
READY_FILE, and goes on until SIGTERM. It keeps its notes (`local.runs`) in DATA_DIR, if there is
one; with RELOAD_FILE it follows changes of code and template (`local.reload`).
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local import dead_letters
from local.eventbridge import rescheduled, schedule_group
from local.functions import load_functions
from local.runs import Runs
from local.runtime.asynchronous import AsyncInvocations
from local.runtime.function import Function
from local.runtime.options import Options
from local.schedule import Schedule
from local.serve import TEMPLATE, reloader_of
from local.template import Template

# A laptop sleeps and its clock is set: look at the clock again at least this often.
NAP_SECONDS_MAX = 10.0
RETRY_SECONDS_MAX = 60.0


def _now() -> datetime:
    return datetime.now(UTC)


class Scheduler:
    """Invokes the scheduled functions of a template. A late run is made up for once.

    Each run goes its own way, as in EventBridge: one that takes long, or is tried again, does not
    hold up the next. Without a folder it has no notes of the runs before its own.
    """

    def __init__(
        self,
        functions: Sequence[Function],
        *,
        folder: Path | None = None,
        clock: Callable[[], datetime] = _now,
        nap_seconds: float = NAP_SECONDS_MAX,
        retry_seconds: float = 1.0,
    ) -> None:
        """`retry_seconds` is the longest pause before the first retry; each doubles it."""
        self.functions = functions
        self.runs = Runs(folder)
        self._folder = folder
        self._clock = clock
        self._nap_seconds = nap_seconds
        self._retry_seconds = retry_seconds
        self._group: asyncio.TaskGroup | None = None
        self._following: dict[tuple[str, Schedule], asyncio.Task[None]] = {}
        self._running: Counter[Any] = Counter()

    async def deploy(self) -> None:
        """Invoke what a deployment invokes, then, in order, every function that a schedule would
        have invoked while nobody was there to do it.

        Raises:
            Exception: whatever a function raised.
        """
        for function in self.functions:
            if function.spec.on_deploy:
                await function.invoke({})
        for function in self.functions:
            late = [schedule for schedule in function.spec.schedules if self._is_late(schedule)]
            for schedule in late[:1]:
                await self._try(function, schedule, self._clock(), attempt=1)

    async def run(self) -> None:
        """Invoke functions at their times until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            self._follow()
            await asyncio.Event().wait()

    def replace(self, functions: Sequence[Function]) -> None:
        """Go on with these functions and their schedules. A schedule that stays as it was keeps its
        beat; what is under way ends as it began."""
        self.functions = functions
        self._follow()

    async def invoke(self, name: str, schedule: Schedule, due: datetime) -> None:
        """Run a schedule's function as of `due`, as often as its retry policy allows."""
        from flashsale.logs import logger

        started = time.monotonic()
        for attempt in range(1, schedule.retries_max + 2):
            function = self._function(name)
            if function is None:
                return  # a reload has taken it away
            event = schedule.event(due, attempt=attempt)
            try:
                await self._try(function, schedule, due, attempt=attempt, event=event)
            except Exception as error:
                told = {"schedule": schedule.name, "attempt": attempt}
                logger().exception("scheduled run failed", extra=told)
                pause = min(self._retry_seconds * 2.0 ** (attempt - 1), RETRY_SECONDS_MAX)
                pause *= random.uniform(0.5, 1)  # noqa: S311 - jitter
                exhausted = _exhausted(schedule, attempt, time.monotonic() - started + pause)
                if exhausted is None:
                    await asyncio.sleep(pause)
                    continue
                self.runs.note(schedule.name, **{**self.runs[schedule.name], "outcome": "failed"})
                self._bury(function, schedule, due, event, attempt, error, exhausted)
            return

    # When

    def _is_late(self, schedule: Schedule) -> bool:
        """Whether a run was missed while this process was off. Recurring schedules always count as
        late: nobody says since when it was. An at() counts if it was pending."""
        if schedule.once:
            pending: str | None = self.runs[schedule.name].get("pending")
            return schedule.enabled and bool(pending and pending <= _text(self._clock()))
        return schedule.is_on(self._clock())

    def _follow(self) -> None:
        assert self._group is not None  # noqa: S101 - set by run
        wanted = {
            (function.spec.name, schedule)
            for function in self.functions
            for schedule in function.spec.schedules
        }
        for place in self._following.keys() - wanted:
            self._following.pop(place).cancel()
        for place in wanted - self._following.keys():
            self._following[place] = self._group.create_task(self._fire(*place))

    async def _fire(self, name: str, schedule: Schedule) -> None:
        assert self._group is not None  # noqa: S101 - set by run
        since = after = self._clock()
        while (due := schedule.next(after=after, since=since)) is not None:
            if schedule.once:
                self.runs.note(schedule.name, pending=_text(due))
            await self._sleep_until(due)
            self._group.create_task(self._delayed(name, schedule, due))
            after = max(due, self._clock())

    async def _delayed(self, name: str, schedule: Schedule, due: datetime) -> None:
        await self._sleep_until(due + schedule.delay())
        await self.invoke(name, schedule, due)

    async def _sleep_until(self, due: datetime) -> None:
        while (left := (due - self._clock()).total_seconds()) > 0:  # noqa: ASYNC110 - the clock
            await asyncio.sleep(min(left, self._nap_seconds))

    # What

    def _function(self, name: str) -> Function | None:
        """The function as it is now: a retry after a reload runs the new code."""
        return next((each for each in self.functions if each.spec.name == name), None)

    async def _try(
        self,
        function: Function,
        schedule: Schedule,
        due: datetime,
        *,
        attempt: int,
        event: Any = None,
    ) -> None:
        """Run it once, and note how it went."""
        began, started = self._clock(), time.monotonic()
        outcome: dict[str, str] = {"outcome": "ok"}
        try:
            await self.run_event(function, schedule.event(due) if event is None else event)
        except Exception as error:
            outcome = {"outcome": "retrying", "error": _sentence(error)}
            raise
        finally:
            self.runs.note(
                schedule.name,
                due=_text(due),
                started=_text(began),
                seconds=round(time.monotonic() - started, 3),
                attempts=attempt,
                **outcome,
            )

    async def run_event(self, function: Function, event: Any, request_id: str = "") -> None:
        """Invoke, and hold no connection to a store until the next time."""
        # Asked for each time: after a reload it is another one, and each closes its own.
        from flashsale import bootstrap

        self._running[bootstrap] += 1
        try:
            await function.invoke(event, request_id)
        finally:
            self._running[bootstrap] -= 1
            if not self._running[bootstrap]:
                del self._running[bootstrap]
                await bootstrap.close()

    def _bury(
        self,
        function: Function,
        schedule: Schedule,
        due: datetime,
        event: Any,
        attempts: int,
        error: Exception,
        exhausted: str,
    ) -> None:
        """Keep the event, under the names that EventBridge Scheduler gives a dead letter."""
        if not schedule.dead_letters or self._folder is None:
            return
        record = {
            "time": _text(self._clock()),
            "source": "schedule",
            "function": function.spec.name,
            "event": event,
            "attributes": {
                "SCHEDULE_ARN": schedule.arn,
                "SCHEDULED_TIME": _text(due),
                "RETRY_ATTEMPTS": attempts - 1,
                "EXHAUSTED_RETRY_CONDITION": exhausted,
                "ERROR_CODE": type(error).__name__,
                "ERROR_MESSAGE": str(error),
            },
        }
        dead_letters.append(self._folder, record)


def _exhausted(schedule: Schedule, attempts: int, age_seconds: float) -> str | None:
    """Which bound of the retry policy forbids another attempt at that age; None if none does."""
    if attempts > schedule.retries_max:
        return "MaximumRetryAttempts"
    return "MaximumEventAgeInSeconds" if age_seconds > schedule.age_seconds_max else None


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _text(moment: datetime) -> str:
    """`2027-01-31T09:00:00Z`; of one length, so that texts compare as times do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _main() -> None:
    template = Template.read(TEMPLATE)
    for name, value in template.environment.items():
        os.environ.setdefault(name, value)
    folder = Path(os.environ["DATA_DIR"]) if "DATA_DIR" in os.environ else None
    reloader = reloader_of(template)
    functions = reloader.functions if reloader else load_functions(template)
    kept = schedule_group(os.environ["SCHEDULE_GROUP"]) if "SCHEDULE_GROUP" in os.environ else None
    known = kept.read() if kept else {}
    scheduler = Scheduler(rescheduled(functions, known) if kept else functions, folder=folder)
    await scheduler.deploy()
    if ready := os.environ.get("READY_FILE"):
        Path(ready).touch()  # noqa: ASYNC240 - once, at the start
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(scheduler.run())]
        if folder is not None:
            retry_seconds = Options.read().async_retry_seconds
            invocations = AsyncInvocations(
                lambda: scheduler.functions,
                folder=folder,
                retry_seconds=retry_seconds,
                invoke=scheduler.run_event,
            )
            running.append(group.create_task(invocations.run()))
        if kept is not None:
            following = kept.follow(
                known, lambda found: scheduler.replace(rescheduled(functions, found))
            )
            running.append(group.create_task(following))
        if reloader is None:
            await stop.wait()
        else:
            await reloader.beside(stop.wait(), lambda _, functions: scheduler.replace(functions))
        for task in running:
            task.cancel()
    for function in scheduler.functions:
        await function.close()
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
