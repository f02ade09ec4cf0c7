"""When a schedule is due next: EventBridge's cron(), rate() and at(), in a time zone.

Clocks go forward and back as EventBridge Scheduler documents it: a cron time that a day doesn't
have is skipped, one that a day has twice is due once, the first time; a rate counts hours that
have passed, so a day of it is 24 hours. An at() that its day doesn't have is due as long after
midnight as it says, which no clock shows; AWS does not document that case.
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from local.cron import Cron, CronError

_EXPRESSION = re.compile(r"(cron|rate|at)\((.+)\)")
_RATE = re.compile(r"([1-9]\d*)\s+(minute|hour|day)(s?)", re.ASCII)
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)


class ScheduleError(Exception):
    """The expression is not one of EventBridge's; the message names it."""


def kind(expression: str) -> str:
    """`cron`, `rate` or `at`."""
    return expression.partition("(")[0]


def check(expression: str, *, timezone: str = "UTC", rule: bool = False) -> None:
    """Raise `ScheduleError` if the expression is wrong. Rules (`AWS::Events::Rule`) are stricter
    than EventBridge Scheduler: six fields, `1 minute` but `5 minutes`, UTC only, and no at()."""
    now = datetime.now(UTC)
    next_due(expression, after=now, started=now, timezone=timezone)
    argument = expression.partition("(")[2][:-1]
    wrong = None
    if timezone != "UTC" and rule:
        wrong = "a rule has no time zone"
    elif rule and kind(expression) == "at":
        wrong = "at() is for ScheduleV2"
    elif rule and kind(expression) == "cron" and len(argument.split()) != 6:
        wrong = "cron wants minutes, hours, day of month, month, day of week, year"
    elif rule and (rate := _RATE.fullmatch(argument)) and (rate[1] == "1") == bool(rate[3]):
        wrong = "it is 1 minute, but 5 minutes"
    if wrong:
        raise ScheduleError(f"{expression!r} is wrong: {wrong}")


def next_due(
    expression: str, *, after: datetime, started: datetime, timezone: str = "UTC"
) -> datetime | None:
    """The first time after `after`, in UTC; None if there is none. A rate is due at `started`, and
    then every so often.

    Raises:
        ScheduleError: the expression is wrong.
    """
    match = _EXPRESSION.fullmatch(expression)
    if match is None:
        raise ScheduleError(f"{expression!r} is none of cron(...), rate(...), at(...)")
    kind, argument = match.groups()
    try:
        zone = ZoneInfo(timezone)
    except (ValueError, KeyError, OSError):
        raise ScheduleError(f"{timezone!r} is no time zone") from None
    try:
        if kind == "rate":
            return _next_rate(argument, after=after, started=started)
        if kind == "at":
            return _next_at(argument, zone, after=after)
        return _next_cron(argument, zone, after=after)
    except (ValueError, OverflowError, CronError) as error:
        raise ScheduleError(f"{expression!r} is wrong: {error}") from error


def _next_rate(argument: str, *, after: datetime, started: datetime) -> datetime:
    match = _RATE.fullmatch(argument)
    if match is None:
        raise ValueError("a rate is a number of minutes, hours or days")
    if after < started:
        return started
    period = timedelta(**{f"{match[2]}s": int(match[1])})
    return started + ((after - started) // period + 1) * period


def _next_at(argument: str, zone: ZoneInfo, *, after: datetime) -> datetime | None:
    if not _AT.fullmatch(argument):
        raise ValueError("a time is yyyy-mm-ddThh:mm:ss")
    moment = datetime.fromisoformat(argument).replace(tzinfo=zone).astimezone(UTC)
    return moment if moment > after else None


def _next_cron(argument: str, zone: ZoneInfo, *, after: datetime) -> datetime | None:
    # Looked for on the wall clock, which is not always ahead of itself: hence the comparison.
    for wall in Cron(argument).after(after.astimezone(zone).replace(tzinfo=None)):
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
        exists = moment.astimezone(zone).replace(tzinfo=None) == wall
        if exists and moment > after:
            return moment
    return None
