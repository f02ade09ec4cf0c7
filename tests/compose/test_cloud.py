"""Secrets and schedules, put where AWS has them and read there. moto answers in AWS's place."""

import asyncio
import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import httpx
import pytest
from flashsale.codes import CodeSigner
from localstack_client.session import Session
from moto.server import ThreadedMotoServer

from infra.compose import cloud
from local import eventbridge
from local.eventbridge import ScheduleGroup, Schedules, rescheduled, schedule_group
from local.functions import load_functions
from local.schedule import Schedule
from local.serve import TEMPLATE
from local.template import Template

REGION = "us-east-1"


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """An AWS that the environment leads to."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        environment.setenv("AWS_ACCESS_KEY_ID", "local")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "local")
        yield f"http://{host}:{port}"
    server.stop()
    boto3.DEFAULT_SESSION = None


@pytest.fixture(scope="module")
def kept(aws: str) -> cloud.Cloud:
    return cloud.Cloud(Session(), REGION)


@pytest.fixture(scope="module")
def group(aws: str) -> ScheduleGroup:
    return schedule_group(cloud.GROUP)


@pytest.fixture(scope="module")
def secrets_manager(aws: str) -> Any:
    return boto3.client("secretsmanager")


@pytest.fixture(scope="module")
def scheduler(aws: str) -> Any:
    return boto3.client("scheduler")


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.read(TEMPLATE)


@pytest.fixture
def put(
    aws: str, kept: cloud.Cloud, secrets_folder: Path, template: Template
) -> Callable[[], list[str]]:
    """Put everything that is missing, at first into an empty AWS; the names of what was."""
    httpx.post(f"{aws}/moto-api/reset").raise_for_status()
    return lambda: kept.put(cloud.values(secrets_folder / "all"), template)


def scheduled(template: Template) -> dict[str, Schedule]:
    return {each.name: each for function in template.functions for each in function.schedules}


def test_all_is_put_once(put: Callable[[], list[str]], template: Template) -> None:
    secrets = [*cloud.KEYS, *cloud.LOGINS]
    assert put() == [*sorted(secrets), cloud.GROUP, *scheduled(template)]
    assert put() == []


def test_what_was_forgotten_is_put_back_as_it_was(
    put: Callable[[], list[str]], secrets_manager: Any, scheduler: Any
) -> None:
    """As after a restart of LocalStack, which keeps nothing."""
    put()
    client = secrets_manager
    before = client.get_secret_value(SecretId="flashsale/code-keys")["SecretString"]
    client.delete_secret(SecretId="flashsale/code-keys", ForceDeleteWithoutRecovery=True)
    scheduler.delete_schedule(GroupName=cloud.GROUP, Name="ReconcileFunctionEveryMinute")
    assert put() == ["flashsale/code-keys", "ReconcileFunctionEveryMinute"]
    assert client.get_secret_value(SecretId="flashsale/code-keys")["SecretString"] == before


def test_the_logins_and_keys_are_there_as_the_service_reads_them(
    put: Callable[[], list[str]], password: Callable[[str], str], secrets_manager: Any
) -> None:
    put()

    def secret(name: str) -> str:
        return str(secrets_manager.get_secret_value(SecretId=f"flashsale/{name}")["SecretString"])

    for name, user, file in (
        ("postgres", "flashsale_serving", "postgres-serving"),
        ("postgres-owner", "flashsale_owner", "postgres-owner"),
        ("redis", "service", "redis-service"),
    ):
        assert json.loads(secret(name)) == {"username": user, "password": password(file)}
    assert CodeSigner.parse(secret("code-keys"))


def test_the_schedules_come_back_as_the_template_has_them(
    put: Callable[[], list[str]], template: Template, group: ScheduleGroup
) -> None:
    put()
    found = group.read()
    wanted = {
        function.name: {_told(each) for each in function.schedules}
        for function in template.functions
        if function.schedules
    }
    assert {name: {_told(each) for each in kept} for name, kept in found.items()} == wanted


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("once", "at(2031-01-31T09:00:00)", timezone="Europe/Berlin"),
        Schedule("paused", "rate(5 minutes)", enabled=False),
        Schedule("within", "rate(1 hour)", window_minutes=15, retries_max=0, age_seconds_max=60),
        Schedule("told", "cron(0 9 ? * MON-FRI *)", timezone="Asia/Riyadh", input='{"sale": 1}'),
        Schedule(
            "for_a_while",
            "rate(1 day)",
            starts=datetime(2031, 1, 1, tzinfo=UTC),
            ends=datetime(2031, 2, 1, tzinfo=UTC),
        ),
    ],
    ids=lambda schedule: schedule.name,
)
def test_whatever_a_schedule_says_comes_back(
    put: Callable[[], list[str]],
    kept: cloud.Cloud,
    template: Template,
    group: ScheduleGroup,
    schedule: Schedule,
) -> None:
    put()
    (spec,) = [each for each in template.functions if each.name == "ReconcileFunction"]
    other = dataclasses.replace(spec, name="OtherFunction", schedules=(schedule,))
    kept.put({}, dataclasses.replace(template, functions=(other,)))
    (found,) = group.read()["OtherFunction"]
    assert _told(found) == _told(schedule)


def test_a_rule_is_no_schedule_and_stays_where_it_is(
    put: Callable[[], list[str]], kept: cloud.Cloud, template: Template, group: ScheduleGroup
) -> None:
    put()
    rule = Schedule("rule", "rate(1 minute)", rule=True)
    (spec,) = [each for each in template.functions if each.name == "ReconcileFunction"]
    with_rule = dataclasses.replace(spec, schedules=(rule, *spec.schedules))
    ruled = dataclasses.replace(template, functions=(with_rule,))
    assert kept.put({}, ruled) == []
    (function,) = rescheduled(load_functions(ruled), group.read())
    assert [each.name for each in function.spec.schedules] == [
        "rule",
        "ReconcileFunctionEveryMinute",
    ]


def test_a_function_follows_the_group_and_not_the_template(
    put: Callable[[], list[str]], template: Template, group: ScheduleGroup, scheduler: Any
) -> None:
    put()
    scheduler.delete_schedule(GroupName=cloud.GROUP, Name="CreateSaleFunctionAhead")
    _change(scheduler, "CreateSaleFunctionOnTheHour", ScheduleExpression="rate(5 minutes)")
    functions = rescheduled(load_functions(template), group.read())
    (create,) = [each for each in functions if each.spec.name == "CreateSaleFunction"]
    assert [each.expression for each in create.spec.schedules] == ["rate(5 minutes)"]


def test_a_schedule_that_was_paused_stays_paused(
    put: Callable[[], list[str]], group: ScheduleGroup, scheduler: Any
) -> None:
    put()
    _change(scheduler, "ReconcileFunctionEveryMinute", State="DISABLED")
    assert put() == []
    (paused,) = group.read()["ReconcileFunction"]
    assert not paused.enabled


async def test_a_change_is_noticed_and_a_cloud_that_is_away_changes_nothing(
    put: Callable[[], list[str]],
    group: ScheduleGroup,
    scheduler: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put()
    monkeypatch.setattr(eventbridge, "LOOK_SECONDS", 0.01)
    seen: asyncio.Queue[Schedules] = asyncio.Queue()
    known, read, failed = group.read(), group.read, asyncio.Event()

    def read_badly_once() -> Schedules:
        monkeypatch.setattr(group, "read", read)
        loop.call_soon_threadsafe(failed.set)
        raise ConnectionError("away")

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(group, "read", read_badly_once)
    following = asyncio.ensure_future(group.follow(known, seen.put_nowait))
    async with asyncio.timeout(20):
        await failed.wait()
        _change(scheduler, "ReconcileFunctionEveryMinute", ScheduleExpression="rate(7 minutes)")
        changed = await seen.get()
    following.cancel()
    assert [each.expression for each in changed["ReconcileFunction"]] == ["rate(7 minutes)"]
    assert seen.empty()


def test_no_password_is_made_twice_and_none_is_alike(secrets_folder: Path) -> None:
    from infra.compose import passwords

    def all_of_them() -> dict[str, str]:
        return {file.name: file.read_text() for file in (secrets_folder / "all").iterdir()}

    before = all_of_them()
    passwords.make(secrets_folder)
    assert all_of_them() == before
    assert len(set(before.values())) == len(before) == 8
    assert all(len(secret) >= 64 for secret in before.values())


def test_no_password_is_where_it_is_not_needed(secrets_folder: Path) -> None:
    """Of Valkey's users there are hashes, and each folder has what its container needs."""
    names = {
        folder.name: {file.name for file in folder.iterdir()}
        for folder in secrets_folder.iterdir()
        if folder.name != "all"
    }
    assert names == {
        "postgres": {f"postgres-{who}" for who in ("superuser", "owner", "serving", "read")},
        "redis": {"users.acl"},
        "viewer": {"postgres-read", "redis-viewer"},
    }
    acl = (secrets_folder / "redis/users.acl").read_text()
    for file in (secrets_folder / "all").iterdir():
        assert file.stat().st_mode & 0o777 == 0o400
        assert file.read_text() not in acl


def _told(schedule: Schedule) -> str:
    """What a schedule says, but for the group that it is in."""
    told = {key: str(value) for key, value in vars(schedule).items() if key != "group"}
    return json.dumps({**told, "dead_letters": ""}, sort_keys=True)


def _change(client: Any, name: str, **changes: Any) -> None:
    now = client.get_schedule(GroupName=cloud.GROUP, Name=name)
    kept = ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target")
    client.update_schedule(
        GroupName=cloud.GROUP, Name=name, **{**{key: now[key] for key in kept}, **changes}
    )
