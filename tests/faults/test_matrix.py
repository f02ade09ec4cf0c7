"""The crash matrix: every step of every operation, times fate, stores, and who comes next.

An operation runs once without a fault, and its steps are counted: so a protocol that gains a step
is struck there, too. Then it is struck at each of them, and after the last. CI runs the whole
product for a purchase, and for the rest what makes a difference; FAULTS_MATRIX=full runs it all.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from itertools import product

import pg8000.native
import pytest
import pytest_asyncio
import redis
from flashsale import attempts, sales, shop
from flashsale.config import Settings
from flashsale.inventory import pipeline

from local.stores import Postgres, Valkey
from tests.conftest import CODE_KEYS, Rows
from tests.faults.matrix.case import Case, Next, Stores
from tests.faults.matrix.operations import OPERATIONS
from tests.faults.matrix.steps import Fate
from tests.faults.matrix.world import ITEMS, World

# An operation has at least two steps and an end, so this many cases are three times as many.
CASES_MIN = 120

CORE = (
    (Fate.DIES, Stores.KEEP, Next.SAME),
    (Fate.DIES, Stores.REDIS_LOST, Next.SAME),
    (Fate.DIES, Stores.TAIL_LOST, Next.ANOTHER),
    (Fate.DIES, Stores.LEASE_OVER, Next.ANOTHER),
    (Fate.LOSES_REPLY, Stores.KEEP, Next.SAME),
    (Fate.LOSES_REPLY, Stores.REDIS_LOST, Next.EXPIRED),
    (Fate.IS_REFUSED, Stores.KEEP, Next.NOBODY),
    (Fate.FREEZES, Stores.KEEP, Next.ANOTHER),
    (Fate.FREEZES, Stores.REDIS_LOST, Next.SAME),
    (Fate.FREEZES, Stores.LEASE_OVER, Next.EXPIRED),
    (Fate.LIVES, Stores.REDIS_LOST, Next.NOBODY),
    (Fate.LIVES, Stores.TAIL_LOST, Next.ANOTHER),
)


# Of operations that consist of others: what can only happen where they meet.
SHORT = (CORE[0], CORE[1], CORE[2], CORE[8], CORE[10])
COMPOSED = ("purchase_of_what_a_dead_one_holds", "purchase_in_an_empty_redis")


def _cases() -> dict[str, Case]:
    everything = tuple(product(Fate, Stores, Next))
    full = os.environ.get("FAULTS_MATRIX") == "full"
    cases = {}
    for name, operation in OPERATIONS.items():
        chosen = everything if full or name == "purchase" else CORE
        for fate, stores, who in SHORT if name in COMPOSED and not full else chosen:
            if (fate, stores) != (Fate.LIVES, Stores.KEEP):
                cases[f"{name}-{fate}-{stores}-{who}"] = Case(operation, fate, stores, who)
    return cases


CASES = _cases()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    valkey: Valkey, postgres: Postgres, template_database: str, run_sql: Callable[..., Rows]
) -> AsyncIterator[World]:
    run_sql(f"create database matrix template {template_database}")
    now = time.time()
    settings = Settings(
        db_host=postgres.host,
        db_port=postgres.port,
        db_user=postgres.user,
        db_password=postgres.password,
        db_name="matrix",
        redis_addr=valkey.address,
        redis_password=valkey.password,
        code_keys=CODE_KEYS,
        items_per_sale=ITEMS,
        # No sale ends while this runs, and no lease by itself.
        sale_seconds=next(long for long in (86_400, 80_000) if 900 < now % long < long - 900),
        prepare_ahead_seconds=0,
        lease_ms=60_000,
        # So small that a rebuild takes several calls.
        batch_max=2,
    )
    connection = pg8000.native.Connection(
        user=postgres.user,
        password=postgres.password,
        host=postgres.host,
        port=postgres.port,
        database="matrix",
    )
    client = redis.Redis.from_url(valkey.url)
    made = World(settings, connection.run, client)
    yield made
    await made.close()
    client.close()
    connection.close()
    run_sql("drop database matrix with (force)")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Redis's run is the world's to say; buyers are impatient; old sales are none."""

    async def run_id(connection: object) -> str:
        return world.weather.run_id()

    monkeypatch.setattr(pipeline, "_run_id", run_id)
    monkeypatch.setattr(shop, "_BUSY_PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(attempts, "SALES_BACK", 2)
    monkeypatch.setattr(sales, "_OPENING_SECONDS_MAX", 0.1)


_steps: dict[int, list[str]] = {}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", CASES)
async def test_every_promise_holds_at_every_step(
    world: World, name: str, subtests: pytest.Subtests
) -> None:
    case = CASES[name]
    steps = _steps.setdefault(id(case.operation), []) or await case.dry_run(world)
    _steps[id(case.operation)] = steps
    for number, step in enumerate([*steps, "the end"], 1):
        with subtests.test(f"step {number}, {step}"):
            async with asyncio.timeout(10):
                await case.run(world, number)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= CASES_MIN
