"""`flashsale schedule`: what runs by itself and when, and running it now."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from flashsale.config import Settings

from local.environment import ROOT
from local.errors import LocalError
from local.runs import Runs
from local.schedule import Schedule
from local.template import FunctionSpec
from local.timetable import Entry, find, moment
from tests.local.running import COMMAND

NOW = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)

Flashsale = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def flashsale(tmp_path: Path) -> Flashsale:
    """Runs the command in a data folder of the test's own."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {"DATA_DIR": str(tmp_path), **environment}
        return subprocess.run(
            [*COMMAND, "schedule", *arguments],
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def stores(settings: Settings) -> dict[str, str]:
    """The settings that lead to the test's stores."""
    return {
        "REDIS_ADDR": settings.redis_addr,
        "REDIS_PASSWORD": settings.redis_password,
        "DB_HOST": settings.db_host,
        "DB_PORT": str(settings.db_port),
        "DB_USER": settings.db_user,
        "DB_PASSWORD": settings.db_password,
        "DB_NAME": settings.db_name,
        "CODE_KEYS": settings.code_keys,
    }


def entry(expression: str, name: str = "TickOften", **more: Any) -> Entry:
    spec = FunctionSpec("TickFunction", Path("functions/tick"), "app.handler", 3, 128)
    return Entry(spec, Schedule(name, expression, **more))


def test_the_page_about_schedules_names_tests_that_there_are() -> None:
    files = [*ROOT.glob("tests/local/*.py"), *ROOT.glob("tests/layer/*.py")]
    there = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs/SCHEDULES.md").read_text())
    assert len(named) > 30
    assert set(named) <= there


# List


def test_the_next_three_times_are_told_in_the_schedule_s_zone() -> None:
    told = entry("cron(0 9 * * ? *)", timezone="Europe/Berlin").told({}, NOW)
    assert told["next"] == [
        "2026-11-23T09:00:00+01:00",
        "2026-11-24T09:00:00+01:00",
        "2026-11-25T09:00:00+01:00",
    ]
    assert told["seconds_until"] == 19 * 3_600 + 25 * 60 + 4
    assert told["last"] is None


def test_a_rate_goes_on_from_its_last_run() -> None:
    note = {"due": "2026-11-22T12:34:10Z", "outcome": "ok", "attempts": 1, "seconds": 0.1}
    told = entry("rate(1 minute)").told(note, NOW)
    assert told["next"][0] == "2026-11-22T12:35:10+00:00"
    assert told["seconds_until"] == 14
    assert told["last"] == note


@pytest.mark.parametrize(
    ("expression", "more"),
    [
        ("rate(1 minute)", {"enabled": False}),
        ("at(2020-01-01T00:00:00)", {}),
        ("rate(1 minute)", {"ends": datetime(2020, 1, 1, tzinfo=UTC)}),
    ],
)
def test_what_is_never_due_again_has_no_next_time(expression: str, more: dict[str, Any]) -> None:
    told = entry(expression, **more).told({}, NOW)
    assert (told["next"], told["seconds_until"]) == ([], None)


def test_list_tells_every_schedule_of_the_template_and_its_last_run(
    flashsale: Flashsale, tmp_path: Path
) -> None:
    runs = Runs(tmp_path)
    times = {"due": "2026-11-22T12:00:00Z", "started": "2026-11-22T12:00:00Z", "seconds": 0.25}
    runs.note("CreateSaleFunctionOnTheHour", **times, attempts=1, outcome="ok")
    runs.note("CreateSaleFunctionAhead", **times, attempts=4, outcome="failed", error="Fault: no")
    done = flashsale("list", "--json")
    assert done.returncode == 0, done.stderr
    told = {each["name"]: each for each in json.loads(done.stdout)["schedules"]}
    hourly = told["CreateSaleFunctionOnTheHour"]
    assert (hourly["folder"], hourly["expression"]) == ("create_sale", "cron(0 * * * ? *)")
    assert hourly["last"]["outcome"] == "ok"
    assert len(hourly["next"]) == 3
    assert 0 <= hourly["seconds_until"] <= 3_600

    text = flashsale("list").stdout
    assert re.search(r"CreateSaleFunctionOnTheHour +cron\(0 \* \* \* \? \*\) +UTC", text)
    assert re.search(r"next +\S+:00:00\+00:00 \(in \d", text)
    assert "2026-11-22T12:00:00Z, ok in 0.25 s" in text
    assert "failed in 0.25 s, attempt 4: Fault: no" in text
    assert "last      not known" in text


# Run


def test_run_opens_the_sale_that_is_on_and_prints_it(
    flashsale: Flashsale, stores: dict[str, str], redis_client: redis.Redis
) -> None:
    done = flashsale("run", "create_sale", **stores)
    assert done.returncode == 0, done.stderr
    (first, *_) = json.loads(done.stdout)["sales"]
    assert redis_client.exists(f"flash:{{{first.split('_')[1]}}}:sale")


@pytest.mark.parametrize(
    ("name", "hours"), [("CreateSaleFunction", 5), ("CreateSaleFunctionOnTheHour", -5)]
)
def test_run_at_another_hour_opens_its_sale(
    flashsale: Flashsale,
    stores: dict[str, str],
    query: Callable[..., Sequence[Sequence[Any]]],
    name: str,
    hours: int,
) -> None:
    """An operator opens one that was missed, or one to come, by the function's id or the
    schedule's name."""
    at = datetime.now(UTC) + timedelta(hours=hours)
    done = flashsale("run", name, "--at", f"{at:%Y-%m-%dT%H:%M}Z", **stores)
    assert done.returncode == 0, done.stderr
    starts_at = int(at.timestamp()) // 3_600 * 3_600
    assert json.loads(done.stdout)["sales"][-1].startswith(f"sale_{starts_at}_")
    assert query("select count(*) from sales where starts_at = to_timestamp(:s)", s=starts_at) == (
        [[1]]
    )


def test_a_run_that_fails_is_one_sentence_and_exit_status_1(
    flashsale: Flashsale, stores: dict[str, str]
) -> None:
    done = flashsale("run", "create_sale", "--at", "2020-01-01T14:00", **stores)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == (
        "create_sale failed: no sale is opened more than a day before or after its time."
    )


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (
            ("create_sail",),
            1,
            "Nothing that is scheduled is called 'create_sail': there is create_",
        ),
        (("create_sale", "--at", "teatime"), 1, "'teatime' is no time: give one as 14:00, "),
        (("create_sale",), 3, "The service doesn't run"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(
    flashsale: Flashsale, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    done = flashsale("run", *arguments)
    assert done.returncode == status
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_name_is_a_schedule_s_before_it_is_a_function_s() -> None:
    first, second = entry("rate(1 hour)", "TickFunction"), entry("rate(1 hour)", "tick")
    assert find([first, second], "tick") == second
    assert find([second, first], "TickFunction") == first


@pytest.mark.parametrize(
    ("text", "zone", "due"),
    [
        ("14:00", "UTC", "2026-11-22 14:00:00"),
        ("14:00:30", "UTC", "2026-11-22 14:00:30"),
        ("14:00", "Europe/Berlin", "2026-11-22 13:00:00"),
        ("01:00", "Pacific/Auckland", "2026-11-22 12:00:00"),  # where it is the 23rd already
        ("2027-01-31T14:00", "Europe/Berlin", "2027-01-31 13:00:00"),
        ("2027-01-31 14:00", "Europe/Berlin", "2027-01-31 13:00:00"),
        ("2027-01-31T14:00Z", "Europe/Berlin", "2027-01-31 14:00:00"),
        ("2027-01-31T14:00+05:30", "UTC", "2027-01-31 08:30:00"),
    ],
)
def test_a_time_is_in_the_schedule_s_zone_unless_it_says_another(
    text: str, zone: str, due: str
) -> None:
    schedule = entry("rate(1 hour)", timezone=zone).schedule
    assert moment(text, schedule, NOW).strftime("%Y-%m-%d %H:%M:%S") == due


@pytest.mark.parametrize("text", ["25:00", "14h", "", "2026-02-30T14:00", "-1:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(LocalError, match="is no time: give one as"):
        moment(text, entry("rate(1 hour)").schedule, NOW)


def test_a_time_that_no_clock_shows_is_refused() -> None:
    schedule = entry("rate(1 hour)", timezone="Europe/Berlin").schedule
    with pytest.raises(LocalError, match="clocks go forward"):
        moment("2027-03-28T02:30", schedule, NOW)
