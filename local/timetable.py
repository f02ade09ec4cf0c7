"""What an operator is told of the template's schedules, and how one is run by hand."""

import asyncio
import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from local.environment import data_folder, running_environment
from local.errors import LocalError
from local.functions import load_functions, plain
from local.instance import log_file
from local.runs import Note
from local.schedule import Schedule
from local.template import FunctionSpec, Template

NEXT = 3


@dataclass(frozen=True)
class Entry:
    """One schedule of one function."""

    function: FunctionSpec
    schedule: Schedule

    @property
    def names(self) -> tuple[str, str, str]:
        """What an operator may call it by, the most telling name first."""
        return self.schedule.name, self.function.name, self.function.folder.name

    def told(self, note: Note, now: datetime) -> dict[str, Any]:
        """As `flashsale schedule list --json` tells it. A rate goes on from its last run."""
        schedule = self.schedule
        since = datetime.fromisoformat(note["due"]) if "due" in note else now
        zone = ZoneInfo(schedule.timezone)
        due = list(islice(schedule.upcoming(after=now, since=since), NEXT))
        return {
            "name": schedule.name,
            "function": self.function.name,
            "folder": self.function.folder.name,
            "expression": schedule.expression,
            "timezone": schedule.timezone,
            "enabled": schedule.enabled,
            "next": [moment.astimezone(zone).isoformat(timespec="seconds") for moment in due],
            "seconds_until": round((due[0] - now).total_seconds()) if due else None,
            "last": note if "outcome" in note else None,
        }


def entries(template: Template) -> list[Entry]:
    """Every schedule of the template, in its order."""
    return [
        Entry(function, schedule)
        for function in template.functions
        for schedule in function.schedules
    ]


def find(listed: Iterable[Entry], name: str) -> Entry:
    """The schedule of a name, else the first one of the function of a logical id or folder.

    Raises:
        LocalError: there is none; the message has those that there are.
    """
    listed = list(listed)
    for place in range(3):
        for entry in listed:
            if entry.names[place] == name:
                return entry
    known = ", ".join(dict.fromkeys(entry.names[2] for entry in listed))
    raise LocalError(f"Nothing that is scheduled is called {name!r}: there is {known}")


def moment(text: str, schedule: Schedule, now: datetime) -> datetime:
    """A time that an operator gave: `14:00` (today), or a date with it; in the zone of the
    schedule, unless it names another.

    Raises:
        LocalError: it is no time, or none that the zone's clocks show.
    """
    zone = ZoneInfo(schedule.timezone)
    try:
        if "-" in text[1:]:
            given = datetime.fromisoformat(text)
        else:
            given = datetime.combine(now.astimezone(zone), time.fromisoformat(text))
    except ValueError:
        raise LocalError(
            f"{text!r} is no time: give one as 14:00, 2027-01-31T14:00 or 2027-01-31T14:00Z"
        ) from None
    if given.tzinfo is None:
        wall, given = given, given.replace(tzinfo=zone)
        if given.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
            raise LocalError(f"There is no {text} in {schedule.timezone}: clocks go forward then")
    return given.astimezone(UTC)


def run(entry: Entry, due: datetime, template: Template, state: Mapping[str, Any] | None) -> object:
    """Run a schedule's function here and now, once, with the event that it would have had at
    `due`, on the stores of the service that runs (`state`) or that the settings name. Returns what
    the function did.

    Raises:
        LocalError: the function failed; one sentence.
    """
    environment = running_environment(state)
    if state is not None:  # its log takes these lines too
        environment.setdefault("LOG_FILE", str(log_file(data_folder(environment))))
    os.environ.update(environment)
    (function,) = load_functions(dataclasses.replace(template, functions=(entry.function,)))

    async def once() -> object:
        from flashsale import bootstrap

        try:
            return await function.invoke(entry.schedule.event(due))
        finally:
            await bootstrap.close()
            await function.close()

    try:
        # Its log lines go where they are no part of the answer.
        with contextlib.redirect_stdout(sys.stderr):
            return plain(asyncio.run(once()))
    except Exception as error:
        said = str(error) or type(error).__name__
        raise LocalError(f"{entry.function.folder.name} failed: {said}") from error
