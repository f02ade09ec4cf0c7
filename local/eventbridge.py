"""Schedules as EventBridge Scheduler keeps them, for a team that keeps them there.

The group that SCHEDULE_GROUP names is read when the scheduler starts and every few seconds after:
a schedule that somebody pauses, changes or deletes there is paused, changed or gone here. A rule of
the template is no schedule of EventBridge Scheduler, and stays as the template has it.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local.runtime.function import Event, Function
from local.schedule import Schedule, read_schedule

LOOK_SECONDS = 5.0

Schedules = Mapping[str, tuple[Schedule, ...]]
"""By the name of the function that they invoke."""


class ScheduleGroup:
    """One group of schedules. `client` is boto3's, of the service `scheduler`."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def read(self) -> Schedules:
        """Every schedule of the group.

        Raises:
            ClientError, BotoCoreError: the group can't be read.
            ScheduleError: a schedule is one that can't be followed.
        """
        found: dict[str, tuple[Schedule, ...]] = {}
        pages = self._client.get_paginator("list_schedules").paginate(GroupName=self.name)
        for name in sorted(each["Name"] for page in pages for each in page["Schedules"]):
            told = self._client.get_schedule(GroupName=self.name, Name=name)
            function = told["Target"]["Arn"].rpartition(":")[2]
            found[function] = (*found.get(function, ()), _schedule(told))
        return found

    async def follow(self, known: Schedules, changed: Callable[[Schedules], None]) -> None:
        """Call `changed` whenever the group is no longer as it was known, until cancelled. While it
        can't be read, what was read last holds."""
        from flashsale.logs import logger

        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                now = await asyncio.to_thread(self.read)
            except Exception as fault:  # it is looked at again soon, and must not end the scheduler
                logger().warning("schedules can't be read", extra={"fault": str(fault)})
                continue
            if now != known:
                known = now
                logger().info("schedules have changed", extra={"group": self.name})
                changed(now)


class _Rescheduled:
    """A function with other schedules than the template's."""

    def __init__(self, function: Function, schedules: tuple[Schedule, ...]) -> None:
        self._function = function
        self.spec = dataclasses.replace(function.spec, schedules=schedules)

    async def invoke(self, event: Event, request_id: str = "") -> Any:
        return await self._function.invoke(event, request_id)

    async def close(self) -> None:
        await self._function.close()


def rescheduled(functions: Sequence[Function], schedules: Schedules) -> list[Function]:
    """The functions, with the group's schedules in place of the template's."""
    return [
        _Rescheduled(
            function,
            (
                *(each for each in function.spec.schedules if each.rule),
                *schedules.get(function.spec.name, ()),
            ),
        )
        for function in functions
    ]


def schedule_group(name: str) -> ScheduleGroup:
    """A group of the account and region, or the endpoint, that the environment names."""
    # Only who keeps schedules there needs it.
    import boto3  # type: ignore[import-untyped]

    return ScheduleGroup(boto3.client("scheduler"), name)


def described(schedule: Schedule) -> dict[str, Any]:
    """A schedule as CreateSchedule takes it, but for its group and target."""
    window = {"Mode": "OFF"}
    return {
        "Name": schedule.name,
        "ScheduleExpression": schedule.expression,
        "ScheduleExpressionTimezone": schedule.timezone,
        "State": "ENABLED" if schedule.enabled else "DISABLED",
        "FlexibleTimeWindow": window
        if not schedule.window_minutes
        else {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": schedule.window_minutes},
        **({"StartDate": schedule.starts} if schedule.starts else {}),
        **({"EndDate": schedule.ends} if schedule.ends else {}),
    }


def _schedule(told: Mapping[str, Any]) -> Schedule:
    """What GetSchedule tells, in the words of the template."""
    target = told["Target"]
    properties = {**told, **{key: target[key] for key in ("Input", "RetryPolicy") if key in target}}
    return read_schedule(told["Name"], properties, rule=False)
