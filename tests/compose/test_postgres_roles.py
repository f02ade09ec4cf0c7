"""Three users of the database, none of whom can do another one's work. Real PostgreSQL."""

import asyncio
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flashsale import bootstrap
from flashsale.config import Settings
from flashsale.errors import StoreDown
from flashsale.ledger.migrate import migrate
from pg8000.exceptions import DatabaseError

from tests.compose.conftest import ROOT

Sql = Callable[..., Sequence[Sequence[Any]]]
AsUser = Callable[[str], Settings]

SALE_ROW = "insert into sales values (to_timestamp({0}), 'sale_{0}', to_timestamp({0} + 60), 1)"
DENIED = "permission denied|must be owner"


async def test_a_whole_sale_is_served_by_the_user_who_serves(served: Settings) -> None:
    """Open, check out, buy, refuse, settle, audit: with the rights of the containers' users."""
    service = bootstrap.build(served)
    try:
        await service.sales.open_due()
        session = await service.shop.checkout(buyer="ann", item=7)
        purchase_id = await service.shop.purchase(session.code)
        assert await service.shop.purchase(session.code) == purchase_id
        await service.background.settled()
        await service.sales.reconcile()
        await service.attempts.persist(time.time())
        findings = await service.audit.run(service.sales.current())
    finally:
        await service.close()
    assert [finding for finding in findings if finding.violations] == []


@pytest.mark.parametrize("mode", ["ledger", "stream"])
async def test_both_ways_to_keep_attempts_need_no_more_rights(served: Settings, mode: str) -> None:
    service = bootstrap.build(dataclasses.replace(served, attempts_mode=mode))
    try:
        await service.sales.open_due()
        await service.shop.checkout(buyer=f"bob-{mode}", item=8)
        await service.attempts.persist(time.time())
        starts_at = service.sales.current().starts_at
        assert await service.inventory.attempts.length(starts_at) == 0
    finally:
        await service.close()


def test_who_serves_can_add_rows_and_neither_change_nor_remove_one(sql: Sql) -> None:
    sql("flashsale_serving", SALE_ROW.format(1))
    for statement in (
        "update purchases set buyer = 'mallory'",
        "delete from purchases",
        "truncate attempts",
        "drop table attempts",
        "alter table purchases drop constraint purchases_state",
        "drop index purchases_item_once",
        "create table mine ()",
        "create temporary table attempts ()",
        "create function f() returns int language sql as 'select 1'",
        "set role flashsale_owner",
    ):
        with pytest.raises(DatabaseError, match=DENIED):
            sql("flashsale_serving", statement)


def test_who_reads_can_read_everything_and_do_nothing_else(sql: Sql) -> None:
    tables = sql(
        "flashsale_read",
        "select relname from pg_class where relkind in ('r', 'p') and relnamespace = 2200",
    )
    assert {"sales", "items", "purchases", "attempts"} <= {name for (name,) in tables}
    for (table,) in tables:
        sql("flashsale_read", f"select count(*) from {table}")  # noqa: S608 - names of its own
    for statement in (
        SALE_ROW.format(2),
        "delete from sales",
        "select keep_attempts(now(), 1)",
        "select * from purchase('', '', '', '', '')",
    ):
        with pytest.raises(DatabaseError, match=DENIED):
            sql("flashsale_read", statement)


def test_partitions_belong_to_the_owner_whoever_asks_for_them(sql: Sql) -> None:
    sql("flashsale_serving", "select keep_attempts(timestamptz '2031-05-05', 30)")
    owners = sql(
        "flashsale_read",
        "select tableowner from pg_tables where tablename = 'attempts_20310505'",
    )
    assert owners == [["flashsale_owner"]]
    sql("flashsale_serving", "select keep_attempts(timestamptz '2041-05-05', 30)")
    left = sql("flashsale_read", "select count(*) from pg_tables where tablename ~ '_203105'")
    assert left == [[0]]


def test_what_runs_with_the_owners_rights_takes_no_table_from_its_callers_path(sql: Sql) -> None:
    """Every function that lends its owner's rights names where it looks."""
    lent = sql(
        "flashsale_read",
        "select proname, proconfig from pg_proc where prosecdef and pronamespace = 2200",
    )
    assert [[name, path] for name, path in lent] == [
        ["keep_attempts", ["search_path=public, pg_temp"]]
    ]


def test_a_deployment_that_has_nothing_to_do_needs_no_owner(as_user: AsUser) -> None:
    assert asyncio.run(migrate(as_user("flashsale_serving"))) == []


def test_a_migration_is_for_the_owner_alone(as_user: AsUser, sql: Sql) -> None:
    """One that is missing stops who serves, rather than being left out."""
    sql("flashsale_owner", "delete from schema_migrations where name like '0004%'")
    with pytest.raises(StoreDown, match=r"0004_partitions\.sql was refused"):
        asyncio.run(migrate(as_user("flashsale_serving")))
    assert asyncio.run(migrate(as_user("flashsale_owner"))) == ["0004_partitions.sql"]
    sql("flashsale_serving", "select keep_attempts(now(), 30)")


def test_the_program_that_deploys_ends_well_or_says_why_not(as_user: AsUser, sql: Sql) -> None:
    """As the container `migrate` runs it, whose end the others wait for."""

    def deploy(user: str) -> "subprocess.CompletedProcess[str]":
        settings = as_user(user)
        environment = {
            "PATH": os.environ["PATH"],
            "DB_HOST": settings.db_host,
            "DB_PORT": str(settings.db_port),
            "DB_NAME": settings.db_name,
            "DB_USER": settings.db_user,
            "DB_PASSWORD": settings.db_password,
            "CODE_KEYS": settings.code_keys,
        }
        command = [sys.executable, "-m", "local.deploy"]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    assert deploy("flashsale_owner").returncode == 0
    sql("flashsale_owner", "delete from schema_migrations where name like '0004%'")
    failed = deploy("flashsale_serving")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("migration 0004_partitions.sql was refused")
    assert deploy("flashsale_owner").returncode == 0


def test_nobody_comes_in_without_a_password(as_user: AsUser, sql: Sql) -> None:
    wrong = dataclasses.replace(as_user("flashsale_serving"), db_password="guess")
    with pytest.raises(StoreDown):
        asyncio.run(migrate(wrong))
