"""EventBridge's grammar of schedules, against the examples of its documentation."""

from datetime import UTC, datetime, timedelta

import pytest

from local.schedule import ScheduleError, next_fire

STARTED = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)


def fire(expression: str, *, after: datetime = STARTED, timezone: str = "UTC") -> str | None:
    due = next_fire(expression, after=after, started=STARTED, timezone=timezone)
    return due.strftime("%Y-%m-%d %H:%M:%S %a") if due else None


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("cron(0 * * * ? *)", "2026-11-22 13:00:00 Sun"),
        ("cron(50 * * * ? *)", "2026-11-22 12:50:00 Sun"),
        ("cron(15 10 ? * 6L 2026-2028)", "2026-11-27 10:15:00 Fri"),  # last Friday of the month
        ("cron(0 10 * * ? *)", "2026-11-23 10:00:00 Mon"),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-23 18:00:00 Mon"),
        ("cron(0 18 ? * 2-6 *)", "2026-11-23 18:00:00 Mon"),  # 1 is Sunday
        ("cron(0 8 1 * ? *)", "2026-12-01 08:00:00 Tue"),
        ("cron(0/15 * * * ? *)", "2026-11-22 12:45:00 Sun"),
        ("cron(0 9 ? * 2#1 *)", "2026-12-07 09:00:00 Mon"),  # first Monday of the month
        ("cron(0 0 1 1 ? 2030/2)", "2030-01-01 00:00:00 Tue"),
        ("cron(0 0 1 1 ? 2020)", None),
        ("rate(1 minute)", "2026-11-22 12:35:56 Sun"),
        ("rate(2 hours)", "2026-11-22 14:34:56 Sun"),
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


def test_a_rate_keeps_its_beat_however_late_the_last_run_was() -> None:
    late = STARTED + timedelta(minutes=7, seconds=30)
    assert fire("rate(5 minutes)", after=late) == "2026-11-22 12:44:56 Sun"


@pytest.mark.parametrize(
    "expression",
    [
        "0 * * * *",
        "cron(0 * * * *)",
        "cron(0 * * * * *)",
        "cron(99 * * * ? *)",
        "rate(0 minutes)",
        "rate(5 parsecs)",
        "at(tomorrow)",
        "every(1 minute)",
    ],
)
def test_a_wrong_expression_is_named(expression: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        fire(expression)
    assert repr(expression) in str(caught.value)
