"""When a schedule fires next, in the grammar of EventBridge: cron(), rate() and at().

cronsim does the calendar; EventBridge's cron differs from everybody's in three ways, which are
translated here: a sixth field for the year, `?` for "no condition", and days of the week that are
counted from 1 (Sunday).
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_EXPRESSION = re.compile(r"(cron|rate|at)\((.+)\)")
_RATE = re.compile(r"([1-9]\d*) (minute|hour|day)s?")
# A day's number, but not the count behind `#` nor the step behind `/`.
_DAY_NUMBER = re.compile(r"(?<![\d#/])([1-7])(?!\d)")
_YEARS = (1970, 2199)


class ScheduleError(Exception):
    """The expression is not one of EventBridge's; the message names it."""


def next_fire(
    expression: str, *, after: datetime, started: datetime, timezone: str = "UTC"
) -> datetime | None:
    """The first time after `after`, in UTC; None if there is none. A rate counts from `started`.

    Raises:
        ScheduleError: the expression is wrong.
    """
    match = _EXPRESSION.fullmatch(expression)
    if match is None:
        raise ScheduleError(f"{expression!r} is none of cron(...), rate(...), at(...)")
    kind, argument = match.groups()
    try:
        zone = ZoneInfo(timezone)
        if kind == "rate":
            return _next_rate(argument, after=after, started=started)
        if kind == "at":
            moment = datetime.fromisoformat(argument).replace(tzinfo=zone).astimezone(UTC)
            return moment if moment > after else None
        return _next_cron(argument, after=after.astimezone(zone))
    except (ValueError, KeyError, CronSimError) as error:
        raise ScheduleError(f"{expression!r} is wrong: {error}") from error


def _next_rate(argument: str, *, after: datetime, started: datetime) -> datetime:
    match = _RATE.fullmatch(argument)
    if match is None:
        raise ValueError("a rate is a number of minutes, hours or days")
    period = timedelta(**{f"{match[2]}s": int(match[1])})
    return started + ((after - started) // period + 1) * period


def _next_cron(argument: str, *, after: datetime) -> datetime | None:
    fields = argument.split()
    if len(fields) != 6:
        raise ValueError("cron wants minutes, hours, day of month, month, day of week, year")
    *simple, year = fields
    if (simple[2] == "?") == (simple[4] == "?"):
        raise ValueError("exactly one of day of month and day of week must be ?")
    simple[4] = _DAY_NUMBER.sub(lambda day: str(int(day[1]) - 1), simple[4])
    for moment in CronSim(" ".join(simple).replace("?", "*"), after):
        if moment.year > _YEARS[1]:
            return None
        if _year_matches(year, moment.year):
            return moment.astimezone(UTC)
    return None


def _year_matches(field: str, year: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        low = _YEARS[0] if first == "*" else int(first)
        open_ended = first == "*" or (step and not last)
        high = _YEARS[1] if open_ended else int(last or first)
        if low <= year <= high and (year - low) % int(step or 1) == 0:
            return True
    return False
