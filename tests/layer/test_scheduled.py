"""What a scheduled run is told of its time, and what `create_sale` makes of it."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis
from flashsale.bootstrap import Service
from flashsale.errors import Malformed, NotFound
from flashsale.scheduled import due_at

HOUR = 3_600

Query = Callable[..., Sequence[Sequence[Any]]]


@pytest.mark.parametrize(
    ("event", "at"),
    [
        ({"source": "aws.scheduler", "time": "2026-11-22T14:00:00Z"}, 1_795_356_000),
        ({"time": "2026-11-22T15:00:00+01:00"}, 1_795_356_000),
        ({"time": "2026-11-22T14:00:00"}, 1_795_356_000),
        ({}, None),
        ({"time": None}, None),
    ],
)
def test_a_run_stands_for_the_time_of_its_event(event: dict[str, Any], at: float | None) -> None:
    assert due_at(event) == at


@pytest.mark.parametrize("time", ["noon", "", 1_795_356_000, ["2026-11-22T14:00:00Z"]])
def test_a_time_that_is_none_is_refused(time: object) -> None:
    with pytest.raises(Malformed, match="no ISO 8601 time"):
        due_at({"time": time})


@pytest.mark.parametrize("hours", [3, -3])
async def test_a_sale_that_was_missed_or_is_to_come_is_opened_when_asked_for(
    service: Service, redis_client: redis.Redis, query: Query, hours: int
) -> None:
    """It is in the ledger with its items, beside the current one; Redis keeps it while it is of
    use."""
    at = time.time() + hours * HOUR
    asked = service.sales.calendar.sale_at(at)
    for _ in range(2):
        opened = await service.sales.open_due(at)
        assert opened[0] == service.sales.current()
        assert opened[-1] == asked
    rows = query("select count(*) from items where sale = to_timestamp(:at)", at=asked.starts_at)
    assert rows[0][0] == asked.total
    if hours > 0:
        assert redis_client.hget(f"flash:{{{asked.starts_at}}}:sale", "loaded") == b"1"


async def test_the_current_sale_is_opened_once_whatever_is_asked_for(service: Service) -> None:
    now = service.sales.current()
    opened = await service.sales.open_due(now.starts_at)
    assert opened.count(now) == 1


@pytest.mark.parametrize("days", [-2, 2, 4_000])
async def test_what_is_more_than_a_day_away_is_refused_after_the_current_sale_is_open(
    service: Service, redis_client: redis.Redis, query: Query, days: int
) -> None:
    redis_client.flushall()
    before = query("select count(*) from sales")
    with pytest.raises(NotFound, match="more than a day"):
        await service.sales.open_due(time.time() + days * 24 * HOUR)
    current = service.sales.current().starts_at
    assert redis_client.hget(f"flash:{{{current}}}:sale", "loaded") == b"1"
    assert query("select count(*) from sales") == before
