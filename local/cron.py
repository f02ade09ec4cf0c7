"""EventBridge's cron() fields, translated for cronsim, which does the calendar.

EventBridge's grammar differs from everybody's: a sixth field for the year, `?` for "no condition",
days of the week that are counted from 1 (Sunday), `15W` for the weekday nearest the 15th, and
ranges that may go over the end, as hours 20-2. What cronsim knows is handed to it as a list of
numbers; the year and `W`, which it doesn't know, are looked at afterwards.
"""

import calendar
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time

from cronsim import CronSim, CronSimError

_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_DAYS = "SUN MON TUE WED THU FRI SAT".split()
_ITEM = re.compile(r"(?P<low>\*|[0-9A-Z]+)(?:-(?P<high>[0-9A-Z]+))?(?:/(?P<step>[0-9]+))?")
_NEAREST = re.compile(r"([0-9]+)W")
_LAST_OF_KIND = re.compile(r"([0-9A-Z]+)L")
_NTH = re.compile(r"([0-9A-Z]+)#([0-9]+)")
_END_OF_DAY = time(23, 59, 59)


class CronError(Exception):
    """The fields are not EventBridge's; the message says which, and why."""


@dataclass(frozen=True)
class _Field:
    """A field's numbers, `low` to `high`; `names` stand for them, the first for `low`."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    wraps: bool = True

    def number(self, text: str) -> int:
        if text in self.names:
            return self.low + self.names.index(text)
        if not text.isdecimal() or not self.low <= int(text) <= self.high:
            raise CronError(f"{text} is no {self.name} ({self.low}-{self.high})")
        return int(text)

    def numbers(self, text: str) -> list[int]:
        """Of one item between commas: `*`, `5`, `1-5`, `5/10` (from 5 on), `1-30/10`, `*/10`."""
        item = _ITEM.fullmatch(text)
        if item is None or (item["low"] == "*" and item["high"]):
            raise CronError(f"{text} is no {self.name}")
        step = int(item["step"] or 1)
        if step == 0:
            raise CronError(f"{text} has a step of 0")
        low = self.low if item["low"] == "*" else self.number(item["low"])
        if item["high"]:
            high = self.number(item["high"])
        else:
            high = self.high if item["low"] == "*" or item["step"] else low
        if high >= low:
            return list(range(low, high + 1, step))
        if not self.wraps:
            raise CronError(f"{text} ends before it starts")
        size = self.high - self.low + 1
        return [self.low + (n - self.low) % size for n in range(low, high + size + 1, step)]


_MINUTE, _HOUR = _Field("minute", 0, 59), _Field("hour", 0, 23)
_DAY = _Field("day of the month", 1, 31)
_MONTH = _Field("month", 1, 12, tuple(_MONTHS))
_WEEKDAY = _Field("day of the week", 1, 7, tuple(_DAYS))
_YEAR = _Field("year", 1970, 2199, wraps=False)


class Cron:
    """When a cron() expression matches, on a clock without a time zone."""

    def __init__(self, fields: str) -> None:
        """Raises `CronError`."""
        parts = fields.upper().split()
        if len(parts) == 5:
            parts.append("*")
        if len(parts) != 6:
            raise CronError("cron wants minutes, hours, day of month, month, day of week, year")
        minute, hour, day, month, weekday, year = parts
        if (day == "?") == (weekday == "?"):
            raise CronError("exactly one of day of month and day of week must be ?")
        self._nearest: list[int] = []
        self._plain_days: set[int] = set()
        self._years = sorted(set(_all(_YEAR, year)))
        self._expression = " ".join(
            (
                _joined(_all(_MINUTE, minute)),
                _joined(_all(_HOUR, hour)),
                "*" if day == "?" else self._days(day),
                _joined(_all(_MONTH, month)),
                "*" if weekday == "?" else _weekdays(weekday),
            )
        )
        try:
            CronSim(self._expression, datetime(2000, 1, 1))  # noqa: DTZ001 - a wall clock's
        except CronSimError:
            raise CronError("no such day ever comes") from None

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times that match, from the first after `moment` on; all without a time zone."""
        while (found := self._next(moment)) is not None:
            yield found
            moment = found

    def _next(self, moment: datetime) -> datetime | None:
        while (found := next(CronSim(self._expression, moment), None)) is not None:
            if found.year not in self._years:
                later = bisect_right(self._years, found.year)
                if later == len(self._years):
                    return None
                moment = datetime.combine(date(self._years[later] - 1, 12, 31), _END_OF_DAY)
            elif self._nearest and not self._has(found.date()):
                moment = datetime.combine(found.date(), _END_OF_DAY)
            else:
                return found
        return None

    def _days(self, text: str) -> str:
        """Days of the month for cronsim; for `15W` the days that it may come to."""
        found: list[int] = []
        last = set()
        for item in text.split(","):
            if item in ("L", "LW"):
                last.add(item)
            elif nearest := _NEAREST.fullmatch(item):
                day = _DAY.number(nearest[1])
                self._nearest.append(day)
                found += range(max(1, day - 2), min(31, day + 2) + 1)
            else:
                numbers = _DAY.numbers(item)
                self._plain_days.update(numbers)
                found += numbers
        if last and self._nearest:
            raise CronError(f"{text}: L and W can't be days together")
        return ",".join(filter(None, (_joined(found), *sorted(last))))

    def _has(self, day: date) -> bool:
        return day.day in self._plain_days or any(
            day.day == _nearest_weekday(day.year, day.month, wanted) for wanted in self._nearest
        )


def _nearest_weekday(year: int, month: int, day: int) -> int | None:
    """The weekday (Monday to Friday) nearest a day, in the same month; None without such a day."""
    last = calendar.monthrange(year, month)[1]
    if day > last:
        return None
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < last else day - 2
    return day


def _weekdays(text: str) -> str:
    """Days of the week for cronsim, which counts from 0 (Sunday)."""
    if "#" in text:
        nth = _NTH.fullmatch(text)
        if nth is None or not 1 <= int(nth[2]) <= 5:
            raise CronError(f"{text}: # takes one day and one number, 1-5, as in 2#1")
        return f"{_WEEKDAY.number(nth[1]) - 1}#{nth[2]}"
    parts: list[str] = []
    for item in text.split(","):
        if item == "L":
            parts.append("6")  # the last day of the week is Saturday
        elif last := _LAST_OF_KIND.fullmatch(item):
            parts.append(f"{_WEEKDAY.number(last[1]) - 1}L")
        elif "/" in item:
            raise CronError(f"{item}: the day of the week takes no /")
        else:
            parts += [str(number - 1) for number in _WEEKDAY.numbers(item)]
    return ",".join(parts)


def _all(field: _Field, text: str) -> list[int]:
    return [number for item in text.split(",") for number in field.numbers(item)]


def _joined(numbers: list[int]) -> str:
    return ",".join(map(str, sorted(set(numbers))))
