"""EventBridge's grammar of schedules, against the examples of its documentation, and against an
oracle that looks at every minute."""

import calendar
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.expression import ScheduleError, check, next_due

STARTED = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)


def fire(expression: str, *, after: datetime = STARTED, timezone: str = "UTC") -> str | None:
    due = next_due(expression, after=after, started=STARTED, timezone=timezone)
    return due.strftime("%Y-%m-%d %H:%M:%S %a") if due else None


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("cron(0 * * * ? *)", "2026-11-22 13:00:00 Sun"),
        ("cron(50 * * * ? *)", "2026-11-22 12:50:00 Sun"),
        ("cron(15 10 ? * 6L 2026-2028)", "2026-11-27 10:15:00 Fri"),  # last Friday of the month
        ("cron(15 10 ? * friL 2026-2028)", "2026-11-27 10:15:00 Fri"),
        ("cron(0 10 * * ? *)", "2026-11-23 10:00:00 Mon"),
        ("cron(0 10 * * ?)", "2026-11-23 10:00:00 Mon"),  # the year may be left out
        ("cron(0 18 ? * MON-FRI *)", "2026-11-23 18:00:00 Mon"),
        ("cron(0 18 ? * 2-6 *)", "2026-11-23 18:00:00 Mon"),  # 1 is Sunday
        ("cron(0 18 ? * FRI-MON *)", "2026-11-22 18:00:00 Sun"),  # over the end of the week
        ("cron(0 8 1 * ? *)", "2026-12-01 08:00:00 Tue"),
        ("cron(0/15 * * * ? *)", "2026-11-22 12:45:00 Sun"),
        ("cron(0/30 20-2 ? * MON-FRI *)", "2026-11-23 00:00:00 Mon"),  # over midnight
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-11-23 08:00:00 Mon"),
        ("cron(5,35 14 * * ? *)", "2026-11-22 14:05:00 Sun"),
        ("cron(1/10 13 * * ? *)", "2026-11-22 13:01:00 Sun"),  # the 1st, 11th, 21st minute
        ("cron(0 9 ? * 2#1 *)", "2026-12-07 09:00:00 Mon"),  # first Monday of the month
        ("cron(0 9 ? * 3#2 *)", "2026-12-08 09:00:00 Tue"),  # second Tuesday
        ("cron(0 9 ? * L *)", "2026-11-28 09:00:00 Sat"),  # last day of the week
        ("cron(0 9 L * ? *)", "2026-11-30 09:00:00 Mon"),  # last day of the month
        ("cron(0 9 LW FEB ? *)", "2027-02-26 09:00:00 Fri"),  # its last weekday: the 28th is Sunday
        ("cron(0 9 3W * ? *)", "2026-12-03 09:00:00 Thu"),  # the weekday nearest the third
        ("cron(0 9 28W * ? *)", "2026-11-27 09:00:00 Fri"),  # Saturday the 28th: the day before
        ("cron(0 9 22W,29W * ? *)", "2026-11-23 09:00:00 Mon"),  # Sunday the 22nd: the day after
        ("cron(0 9 1W AUG ? *)", "2027-08-02 09:00:00 Mon"),  # not in another month
        ("cron(0 9 1W,15 MAY ? 2027)", "2027-05-03 09:00:00 Mon"),  # the 1st is Saturday
        ("cron(0 9 31W JAN ? *)", "2027-01-29 09:00:00 Fri"),  # the 31st is Sunday, and the last
        ("cron(0 0 30W 2 ? *)", None),  # February has no 30th
        ("cron(0 0 29 2 ? *)", "2028-02-29 00:00:00 Tue"),
        ("cron(0 0 1 1 ? 2030/2)", "2030-01-01 00:00:00 Tue"),
        ("cron(* * * * ? 2199)", "2199-01-01 00:00:00 Tue"),
        ("cron(0 0 1 1 ? 2020)", None),
        ("rate(1 minute)", "2026-11-22 12:35:56 Sun"),
        ("rate(1 minutes)", "2026-11-22 12:35:56 Sun"),
        ("rate(2 hours)", "2026-11-22 14:34:56 Sun"),
        ("rate(1 days)", "2026-11-23 12:34:56 Mon"),
        ("at(2026-11-23T09:00:00)", "2026-11-23 09:00:00 Mon"),
        ("at(2026-11-20T09:00:00)", None),
    ],
)
def test_expression_fires_when_eventbridge_says(expression: str, due: str | None) -> None:
    assert fire(expression) == due


def test_cron_follows_the_time_zone_through_the_change_of_clocks() -> None:
    spring = datetime(2027, 3, 27, 12, tzinfo=UTC)  # the night in which Berlin's clocks go forward
    assert fire("cron(0 9 * * ? *)", after=spring, timezone="Europe/Berlin") == (
        "2027-03-28 07:00:00 Sun"
    )


def test_the_documented_night_in_los_angeles() -> None:
    """2:30 is skipped in spring, and fires once, before the shift, in autumn."""

    def nights(after: datetime) -> list[str | None]:
        times = islice(_all("cron(30 2 * * ? *)", after, "America/Los_Angeles"), 2)
        return [due.strftime("%Y-%m-%d %H:%M") for due in times]

    assert nights(datetime(2027, 3, 14, 9, tzinfo=UTC)) == ["2027-03-15 09:30", "2027-03-16 09:30"]
    # Clocks go back at 2:00 now, not at the documentation's 3:00; so 1:30 is the one that repeats.
    twice = list(
        islice(
            _all("cron(30 1 * * ? *)", datetime(2027, 11, 7, tzinfo=UTC), "America/Los_Angeles"), 2
        )
    )
    assert [due.strftime("%m-%d %H:%M") for due in twice] == ["11-07 08:30", "11-08 09:30"]


def test_the_second_time_that_a_day_has_a_time_is_not_due() -> None:
    """Asked at ten past one for the second time."""
    after = datetime(2027, 11, 7, 9, 10, tzinfo=UTC)
    due = fire("cron(30 1 * * ? *)", after=after, timezone="America/Los_Angeles")
    assert due == "2027-11-08 09:30:00 Mon"


def test_a_time_that_no_clock_shows_is_as_long_after_midnight_as_it_says() -> None:
    due = fire("at(2027-03-14T02:30:00)", timezone="America/Los_Angeles")
    assert due == "2027-03-14 10:30:00 Sun"  # 2:30 after 8:00 UTC


def test_a_rate_keeps_its_beat_however_late_the_last_run_was() -> None:
    late = STARTED + timedelta(minutes=7, seconds=30)
    assert fire("rate(5 minutes)", after=late) == "2026-11-22 12:44:56 Sun"


def test_a_rate_begins_at_its_start() -> None:
    assert fire("rate(5 minutes)", after=STARTED - timedelta(days=1)) == "2026-11-22 12:34:56 Sun"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("0 * * * *", "is none of cron(...), rate(...), at(...)"),
        ("every(1 minute)", "is none of cron(...), rate(...), at(...)"),
        ("cron(0 * * * *)", "exactly one"),
        ("cron(0 * * * * *)", "exactly one"),
        ("cron(0 * ? * ? *)", "exactly one"),
        ("cron(0 * * ?)", "cron wants"),
        ("cron(99 * * * ? *)", "99 is no minute (0-59)"),
        ("cron(-1 * * * ? *)", "-1 is no minute"),
        ("cron(*-5 * * * ? *)", "*-5 is no minute"),
        ("cron(0 24 * * ? *)", "24 is no hour"),
        ("cron(0 0 0 * ? *)", "0 is no day of the month"),
        ("cron(0 0 32W * ? *)", "32 is no day of the month"),
        ("cron(0 0 W * ? *)", "W is no day of the month"),
        ("cron(0 0 L-3 * ? *)", "L is no day of the month"),
        ("cron(0 0 L,15W * ? *)", "L and W"),
        ("cron(0 0 30 2 ? *)", "no such day ever comes"),
        ("cron(0 0 1 13 ? *)", "13 is no month"),
        ("cron(0 0 1 JANUARY ? *)", "JANUARY is no month"),
        ("cron(0 0 ? * 0 *)", "0 is no day of the week"),
        ("cron(0 0 ? * 8 *)", "8 is no day of the week"),
        ("cron(0 0 ? * 2/2 *)", "takes no /"),
        ("cron(0 0 ? * 3#1,6#3 *)", "# takes one day"),
        ("cron(0 0 ? * 3#6 *)", "# takes one day"),
        ("cron(0/0 * * * ? *)", "step of 0"),
        ("cron(0 0 1 1 ? 1969)", "1969 is no year"),
        ("cron(0 0 1 1 ? 2030-2020)", "ends before it starts"),
        ("cron(, * * * ? *)", "is no minute"),
        ("cron(٣ * * * ? *)", "is no minute"),
        ("rate(0 minutes)", "a rate is"),
        ("rate(5 parsecs)", "a rate is"),
        ("rate(5 minutess)", "a rate is"),
        ("at(tomorrow)", "a time is"),
        ("at(2026-11-23)", "a time is"),
        ("at(2026-13-23T00:00:00)", "month must be in 1..12"),
        ("at(2026-11-23T09:00:00Z)", "a time is"),
    ],
)
def test_a_wrong_expression_is_named(expression: str, reason: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        fire(expression)
    assert repr(expression) in str(caught.value)
    assert reason in str(caught.value)


def test_a_time_zone_that_there_is_not_is_named() -> None:
    for zone in ("Europe/Atlantis", "../etc/passwd", ""):
        with pytest.raises(ScheduleError, match="is no time zone"):
            fire("cron(0 * * * ? *)", timezone=zone)


@pytest.mark.parametrize(
    "expression",
    ["rate(1 minutes)", "rate(5 minute)", "at(2030-01-01T00:00:00)", "cron(0 0 1 1 ?)"],
)
def test_a_rule_is_stricter_than_a_schedule(expression: str) -> None:
    check(expression)
    with pytest.raises(ScheduleError):
        check(expression, rule=True)


def test_a_rule_has_no_time_zone() -> None:
    check("rate(5 minutes)", rule=True)
    with pytest.raises(ScheduleError, match="no time zone"):
        check("cron(0 0 * * ? *)", rule=True, timezone="Europe/Berlin")


# The oracle: each part of a field as its text, and as a condition of its own.


@dataclass(frozen=True)
class Part:
    text: str
    holds: Callable[[datetime], bool]


def _all(expression: str, after: datetime, timezone: str = "UTC") -> Iterator[datetime]:
    while (due := next_due(expression, after=after, started=after, timezone=timezone)) is not None:
        yield due
        after = due


def numbers(low: int, high: int, read: Callable[[datetime], int]) -> st.SearchStrategy[Part]:
    """One item of a field of numbers."""
    size = high - low + 1

    def one(n: int) -> Part:
        return Part(str(n), lambda at: read(at) == n)

    def span(ends: tuple[int, int]) -> Part:
        first, last = ends
        reach = (last - first) % size
        return Part(f"{first}-{last}", lambda at: (read(at) - first) % size <= reach)

    def steps(place: tuple[int, int]) -> Part:
        first, step = place
        return Part(
            f"{first}/{step}",
            lambda at: read(at) >= first and (read(at) - first) % step == 0,
        )

    value = st.integers(low, high)
    return st.one_of(
        value.map(one),
        st.tuples(value, value).map(span),
        st.tuples(value, st.integers(1, size)).map(steps),
        st.just(Part("*", lambda at: True)),
    )


def listed(items: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    """A field: items between commas."""

    def joined(parts: list[Part]) -> Part:
        return Part(
            ",".join(part.text for part in parts), lambda at: any(part.holds(at) for part in parts)
        )

    return st.lists(items, min_size=1, max_size=3).map(joined)


def last_day(at: date) -> int:
    return calendar.monthrange(at.year, at.month)[1]


def nearest(day: int) -> Part:
    def holds(at: datetime) -> bool:
        days = range(1, last_day(at) + 1)
        weekdays = [n for n in days if date(at.year, at.month, n).weekday() < 5]
        return day in days and at.day == min(weekdays, key=lambda n: abs(n - day))

    return Part(f"{day}W", holds)


def last_weekday(at: datetime) -> bool:
    rest = range(at.day + 1, last_day(at) + 1)
    return at.weekday() < 5 and all(at.replace(day=n).weekday() >= 5 for n in rest)


def weekday(at: datetime) -> int:
    return at.isoweekday() % 7 + 1  # Sunday is 1


def days_of_week() -> st.SearchStrategy[Part]:
    day = st.integers(1, 7)

    def last(n: int) -> Part:
        return Part(f"{n}L", lambda at: weekday(at) == n and at.day > last_day(at) - 7)

    def nth(place: tuple[int, int]) -> Part:
        n, count = place
        return Part(f"{n}#{count}", lambda at: weekday(at) == n and (at.day - 1) // 7 + 1 == count)

    plain = numbers(1, 7, weekday).filter(lambda part: "/" not in part.text)
    return st.one_of(
        listed(st.one_of(plain, day.map(last), st.just(Part("L", lambda at: weekday(at) == 7)))),
        st.tuples(day, st.integers(1, 5)).map(nth),
    )


def days_of_month() -> st.SearchStrategy[Part]:
    plain = numbers(1, 31, lambda at: at.day)
    ends = st.sampled_from([Part("L", lambda at: at.day == last_day(at)), Part("LW", last_weekday)])
    return st.one_of(
        listed(st.one_of(plain, st.integers(1, 31).map(nearest))), listed(st.one_of(plain, ends))
    )


ANY = Part("?", lambda at: True)


@st.composite
def day_expressions(draw: st.DrawFn) -> tuple[str, Callable[[datetime], bool]]:
    """cron() for midnight of some days."""
    if draw(st.booleans()):
        day, of_week = draw(days_of_month()), ANY
    else:
        day, of_week = ANY, draw(days_of_week())
    month = draw(listed(numbers(1, 12, lambda at: at.month)))
    year = draw(st.sampled_from(["*", "2027", "2026/2", "2027-2028"]))
    years = {"*": range(2026, 2030), "2027": [2027], "2026/2": [2026, 2028]}.get(year, [2027, 2028])
    return (
        f"cron(0 0 {day.text} {month.text} {of_week.text} {year})",
        lambda at: day.holds(at) and of_week.holds(at) and month.holds(at) and at.year in years,
    )


@settings(max_examples=70, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(day_expressions())
def test_days_are_those_of_the_oracle(made: tuple[str, Callable[[datetime], bool]]) -> None:
    """Every day of three years."""
    expression, holds = made
    first, count = datetime(2026, 11, 1, tzinfo=UTC), 3 * 365
    wanted = [at for n in range(count) if holds(at := first + timedelta(days=n))]
    end = first + timedelta(days=count)
    due = _all(expression, first - timedelta(seconds=1))
    if wanted:
        assert list(takewhile(lambda at: at < end, due)) == wanted
    else:
        with contextlib.suppress(ScheduleError):  # as for the 30th of February
            assert next(due, end) >= end


# Half an hour, three hours, at midnight, southern, in the first week of April, no change at all.
ZONES = {
    "America/New_York": (date(2027, 3, 13), date(2027, 11, 6)),
    "Europe/Berlin": (date(2027, 3, 27), date(2027, 10, 30)),
    "Australia/Lord_Howe": (date(2027, 10, 2), date(2027, 4, 3)),
    "America/Santiago": (date(2027, 9, 4), date(2027, 4, 3)),
    "Asia/Kolkata": (date(2027, 3, 27),),
    "Antarctica/Troll": (date(2027, 3, 27), date(2027, 10, 30)),
}


@st.composite
def hour_expressions(draw: st.DrawFn) -> tuple[str, Callable[[datetime], bool]]:
    minute = draw(listed(numbers(0, 59, lambda at: at.minute)))
    hour = draw(listed(numbers(0, 23, lambda at: at.hour)))
    return (
        f"cron({minute.text} {hour.text} * * ? *)",
        lambda at: minute.holds(at) and hour.holds(at),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    hour_expressions(),
    st.sampled_from([(zone, day) for zone, days in ZONES.items() for day in days]),
    st.integers(0, 30 * 60),
)
def test_minutes_are_those_of_the_oracle_when_clocks_change(
    made: tuple[str, Callable[[datetime], bool]], place: tuple[str, date], later: int
) -> None:
    """Every minute of two days that have a change of clocks, begun at any minute: a wall time
    counts when it is shown, and the first time only."""
    (expression, holds), (name, day) = made, place
    zone = ZoneInfo(name)
    midnight = datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
    begin, end = midnight + timedelta(minutes=later), midnight + timedelta(days=2)
    wanted, at = [], begin + timedelta(minutes=1)
    while at < end:
        wall = at.astimezone(zone)
        if not wall.fold and holds(wall):
            wanted.append(at)
        at += timedelta(minutes=1)
    due = takewhile(lambda at: at < end, _all(expression, begin, name))
    # The first ones, the last ones, and those around the change.
    assert list(islice(due, 40)) == wanted[:40]


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("cron(0/20 9-17 ? * MON-FRI *)", "Europe/Berlin"),
        ("cron(7 23-1 15W,1W * ? *)", "America/New_York"),
        ("cron(0 */6 LW * ? *)", "Pacific/Chatham"),
        ("cron(30 2 ? * 1 *)", "Europe/Berlin"),
    ],
)
def test_four_months_minute_by_minute(expression: str, zone: str) -> None:
    """Every minute from October to January."""
    minute, hour, day, _, of_week, _ = expression[5:-1].split()
    info = ZoneInfo(zone)
    at, end = datetime(2027, 10, 1, tzinfo=UTC), datetime(2028, 2, 1, tzinfo=UTC)
    minutes = {"0/20": {0, 20, 40}, "7": {7}, "0": {0}, "30": {30}}[minute]
    hours = {"9-17": set(range(9, 18)), "23-1": {23, 0, 1}, "*/6": {0, 6, 12, 18}, "2": {2}}[hour]
    chosen: Callable[[datetime], bool] = {
        "?": lambda wall: wall.weekday() < 5 if of_week == "MON-FRI" else wall.weekday() == 6,
        "15W,1W": lambda wall: nearest(15).holds(wall) or nearest(1).holds(wall),
        "LW": last_weekday,
    }[day]
    found = _all(expression, at - timedelta(minutes=1), zone)
    while at < end:
        wall = at.astimezone(info)
        hit = wall.minute in minutes and wall.hour in hours and not wall.fold and chosen(wall)
        if hit:
            assert next(found) == at
        at += timedelta(minutes=1)
    assert next(found) >= end
