"""A schedule of the template: when it is due, and the event that its function gets.

`Schedule` events are rules of EventBridge, `ScheduleV2` ones are EventBridge Scheduler's: another
event, and other keywords. What the properties mean and may be is as AWS documents them ("Schedule"
and "ScheduleV2" of SAM, "CreateSchedule" of EventBridge Scheduler, "RetryPolicy" of both).
"""

import json
import random
import secrets
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from local.expression import ScheduleError, check, kind, next_due

ACCOUNT, REGION = "000000000000", "local"
RETRIES_DEFAULT, RETRIES_MAX = 185, 185
AGE_SECONDS_DEFAULT, AGE_SECONDS_MIN, AGE_SECONDS_MAX = 86_400, 60, 86_400
WINDOW_MINUTES_MAX = 1_440


@dataclass(frozen=True)
class Schedule:
    """When a function runs by itself, with what, and how often it is tried."""

    name: str
    expression: str
    timezone: str = "UTC"
    input: str | None = None
    rule: bool = False
    """Whether it is a rule of EventBridge rather than a schedule of EventBridge Scheduler."""
    enabled: bool = True
    starts: datetime | None = None
    ends: datetime | None = None
    window_minutes: int = 0
    """A run starts at any moment of so many minutes from the due time on."""
    retries_max: int = RETRIES_DEFAULT
    age_seconds_max: int = AGE_SECONDS_DEFAULT
    """No retry starts later than this after the first try."""
    dead_letters: bool = False
    """Whether the event of a run that failed for good is kept."""
    group: str = "default"

    @property
    def arn(self) -> str:
        if self.rule:
            return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{self.name}"
        return f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{self.group}/{self.name}"

    @property
    def once(self) -> bool:
        """Whether it is due at one time only: at()."""
        return kind(self.expression) == "at"

    def is_on(self, now: datetime) -> bool:
        """Whether it may run at a time; at() has no start and no end."""
        if self.once:
            return self.enabled
        begun = self.starts is None or self.starts <= now
        return self.enabled and begun and (self.ends is None or now <= self.ends)

    def next(self, *, after: datetime, since: datetime) -> datetime | None:
        """When it is due next, in UTC; None if never. `since` is when it was created: a rate
        without a start counts from it."""
        if not self.enabled:
            return None
        if self.once:
            return next_due(self.expression, after=after, started=since, timezone=self.timezone)
        if self.starts is not None:
            # AWS calls a run at the start itself on time.
            after = max(after, self.starts - timedelta(microseconds=1))
        due = next_due(
            self.expression, after=after, started=self.starts or since, timezone=self.timezone
        )
        return due if due is None or self.ends is None or due <= self.ends else None

    def upcoming(self, *, after: datetime, since: datetime) -> Iterator[datetime]:
        """Every time that it is due, the next one first."""
        while (due := self.next(after=after, since=since)) is not None:
            yield due
            after = due

    def delay(self) -> timedelta:
        """How long after its due time a run starts, at random within the window."""
        return timedelta(minutes=random.uniform(0, self.window_minutes))  # noqa: S311 - no secret

    def event(self, due: datetime, *, attempt: int = 1) -> Any:
        """The event of the run that was due at a time, in its `attempt`, counted from 1."""
        time = due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.input is not None:
            return json.loads(self.input if self.rule else self._filled(time, attempt))
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events" if self.rule else "aws.scheduler",
            "account": ACCOUNT,
            "time": time,
            "region": REGION,
            "resources": [self.arn],
            "detail": {} if self.rule else "{}",  # Scheduler's is a string
        }

    def _filled(self, time: str, attempt: int) -> str:
        keywords = {
            "schedule-arn": self.arn,
            "scheduled-time": time,
            "execution-id": secrets.token_hex(8),
            "attempt-number": str(attempt),
        }
        text = self.input or ""
        for keyword, value in keywords.items():
            text = text.replace(f"<aws.scheduler.{keyword}>", value)
        return text


def read_schedule(name: str, properties: Mapping[str, Any], *, rule: bool) -> Schedule:
    """A `Schedule` or `ScheduleV2` event of a SAM template; `name` unless the template gives one.

    Raises:
        ScheduleError: a property is missing or wrong.
    """
    expression = _text(properties, "Schedule" if rule else "ScheduleExpression") or ""
    retry = properties.get("RetryPolicy") or {}
    schedule = Schedule(
        name=_text(properties, "Name") or name,
        expression=expression,
        timezone=_text(properties, "ScheduleExpressionTimezone") or "UTC",
        input=_text(properties, "Input"),
        rule=rule,
        enabled=_enabled(properties),
        starts=_moment(properties, "StartDate"),
        ends=_moment(properties, "EndDate"),
        window_minutes=_window(properties.get("FlexibleTimeWindow") or {}),
        retries_max=_number(retry, "MaximumRetryAttempts", RETRIES_DEFAULT, 0, RETRIES_MAX),
        age_seconds_max=_number(
            retry, "MaximumEventAgeInSeconds", AGE_SECONDS_DEFAULT, AGE_SECONDS_MIN, AGE_SECONDS_MAX
        ),
        dead_letters=bool(properties.get("DeadLetterConfig")),
        group=_text(properties, "GroupName") or "default",
    )
    check(expression, timezone=schedule.timezone, rule=rule)
    try:
        schedule.event(datetime.now(UTC))
    except json.JSONDecodeError as error:
        raise ScheduleError(f"Input is no JSON: {error}") from None
    return schedule


def _text(properties: Mapping[str, Any], key: str) -> str | None:
    value = properties.get(key)
    if value is not None and not isinstance(value, str):
        raise ScheduleError(f"{key} is not known here")
    return value


def _enabled(properties: Mapping[str, Any]) -> bool:
    state = properties.get("State", "ENABLED")
    if state not in ("ENABLED", "DISABLED"):
        raise ScheduleError(f"State is ENABLED or DISABLED, not {state}")
    return state == "ENABLED" and properties.get("Enabled", True) is not False


def _moment(properties: Mapping[str, Any], key: str) -> datetime | None:
    """A date of the template, which is in UTC where it does not say. YAML may have read it."""
    value = properties.get(key)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ScheduleError(f"{key} is a time such as 2027-01-31T09:00:00Z, not {value}") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _window(properties: Mapping[str, Any]) -> int:
    mode = properties.get("Mode", "OFF")
    if mode not in ("OFF", "FLEXIBLE"):
        raise ScheduleError(f"FlexibleTimeWindow has the Mode OFF or FLEXIBLE, not {mode}")
    if mode == "OFF":
        return 0
    if "MaximumWindowInMinutes" not in properties:
        raise ScheduleError("a FLEXIBLE FlexibleTimeWindow has no MaximumWindowInMinutes")
    return _number(properties, "MaximumWindowInMinutes", 0, 1, WINDOW_MINUTES_MAX)


def _number(properties: Mapping[str, Any], key: str, default: int, low: int, high: int) -> int:
    value = properties.get(key, default)
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ScheduleError(f"{key} is not known here") from None
    if not low <= number <= high:
        raise ScheduleError(f"{key} is {low} to {high}, not {number}")
    return number
