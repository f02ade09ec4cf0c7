"""What is told to CloudWatch: the shape of its embedded metric format, and the events that are."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flashsale.bootstrap import Service
from flashsale.breaker import Breaker
from flashsale.logs import Lines
from flashsale.metrics import Metrics, metrics

from tests.conftest import CODE_KEYS
from tests.layer.conftest import abandoned
from tests.layer.runtime import Lambda


class Written(Lines):
    """Lines that are kept instead of written."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def add(self, line: bytes) -> None:
        self.kept.append(json.loads(line))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    metrics().flush()
    made = Written()
    monkeypatch.setattr("flashsale.metrics.lines", lambda: made)
    yield made
    metrics().flush()


def test_counts_add_up_levels_are_replaced_and_each_flush_begins_anew(written: Written) -> None:
    noted = Metrics()
    noted.count("Sales", 2)
    noted.count("Sales")
    noted.count("Nothing", 0)
    noted.level("BreakerOpen", 1, store="Redis")
    noted.level("BreakerOpen", 0, store="Redis")
    noted.flush()
    noted.flush()
    plain, of_redis = written.kept
    assert (plain["Sales"], plain["service"]) == ([3], "flashsale")
    assert "Nothing" not in plain
    assert (of_redis["BreakerOpen"], of_redis["store"]) == ([0], "Redis")
    (told,) = of_redis["_aws"]["CloudWatchMetrics"]
    assert told["Namespace"] == "Flashsale"
    assert [sorted(one) for one in told["Dimensions"]] == [["service", "store"]]
    assert told["Metrics"] == [{"Name": "BreakerOpen", "Unit": "Count"}]


def test_a_breaker_tells_when_it_opens_and_when_it_closes(written: Written) -> None:
    breaker = Breaker("Redis", failures_max=2, open_seconds=0.0)
    states = []
    for failing in (True, True, False, False):
        breaker.failed() if failing else breaker.succeeded()
        metrics().flush()
        states.append([line["BreakerOpen"][0] for line in written.kept])
    assert states == [[], [1], [1, 0], [1, 0]]


async def test_a_crash_that_is_settled_is_counted(
    service: Service, written: Written, lapse: Callable[..., None]
) -> None:
    await abandoned(service, "ann", 7)
    lapse(7)
    assert (await service.sales.reconcile()).released == 1
    metrics().flush()
    assert [line["ClaimsReleased"] for line in written.kept if "ClaimsReleased" in line] == [[1]]


def test_a_function_writes_them_before_lambda_freezes_it(
    tmp_path: Path,
) -> None:
    """Also when it fails: the lines of a failure are those one wants to read."""
    away = {"REDIS_ADDR": "127.0.0.1:1", "DB_PORT": "1", "CODE_KEYS": CODE_KEYS}
    function = Lambda(away, tmp_path / "log")
    for _ in range(3):
        assert "raised" in function.invoke("reconcile", {})
    told = [line for line in function.lines() if "_aws" in line]
    function.end()
    assert {line["store"] for line in told if line.get("BreakerOpen") == [1]} == {"PostgreSQL"}
