"""What a schedule tells the function that it invokes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flashsale.errors import Malformed


def due_at(event: Mapping[str, Any]) -> float | None:
    """The time that a scheduled run stands for, Unix seconds: `time` of its event, which may be
    long past when the run is late. None if the event doesn't say, as where an operator made it.

    Raises:
        Malformed: that is no time.
    """
    time = event.get("time")
    if time is None:
        return None
    try:
        moment = datetime.fromisoformat(time)
    except (TypeError, ValueError):
        raise Malformed("the event's time is no ISO 8601 time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
