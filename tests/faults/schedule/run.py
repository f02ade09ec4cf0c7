"""One seed, from empty stores to a verdict."""

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from flashsale.inventory import stream

from tests.faults.schedule.buyers import Buyer
from tests.faults.schedule.faults import strike_all
from tests.faults.schedule.plan import Plan
from tests.faults.schedule.promises import Violation, judge
from tests.faults.schedule.settling import ask_again, buy_the_rest, collect, look, settle
from tests.faults.schedule.stores import Ledgers
from tests.faults.schedule.world import World

# A run has no minute to wait for a dead consumer's attempts.
stream.DEAD_CONSUMER_MS = 500


@dataclass
class Result:
    """What a seed came to."""

    seed: int
    seconds: float = 0.0
    settle_seconds: float = 0.0
    slowest_seconds: float = 0.0
    """the longest that a client waited for an answer"""
    faults: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    """by group: acked, refused, unknown, error"""
    degraded: int = 0
    violations: list[Violation] = field(default_factory=list)


def run_seed(
    seed: int, ledgers: Ledgers, *, note: Callable[[str], None] = lambda _: None
) -> Result:
    """Run a seed's schedule on a PostgreSQL that is ours meanwhile, and judge it."""
    began = time.monotonic()
    plan = Plan.of(seed)
    result = Result(seed, faults=Counter(strike.kind for strike in plan.strikes))
    folder = Path(tempfile.mkdtemp(prefix="flashsale-faults-"))
    database = ledgers.create()
    try:
        asyncio.run(_run(World(plan, ledgers, database, folder), result, note))
    finally:
        ledgers.drop(database)
        shutil.rmtree(folder, ignore_errors=True)
    result.seconds = time.monotonic() - began
    return result


async def _run(world: World, result: Result, note: Callable[[str], None]) -> None:
    # What dies in a crash leaves exceptions that nobody is there to take.
    asyncio.get_running_loop().set_exception_handler(lambda _, told: note(str(told["message"])))
    try:
        await world.start()
        buyers = [Buyer(world, number) for number in range(world.plan.buyers)]
        schedules = asyncio.create_task(world.keep_schedules(Random(world.plan.seed)))
        crowd = asyncio.gather(*(buyer.shop() for buyer in buyers))
        await asyncio.gather(strike_all(world, note=note), asyncio.sleep(world.plan.seconds))
        world.over.set()
        await world.heal()
        await crowd
        await schedules
        result.settle_seconds = await settle(world)
        await look(world)
        await ask_again(world, buyers)
        await buy_the_rest(world)
        await settle(world)
        await look(world)
        await asyncio.to_thread(collect, world)
    finally:
        await world.end()
    evidence = world.evidence
    result.calls = Counter(call.group for call in evidence.calls if call.kind != "schedule")
    result.slowest_seconds = max(call.ended - call.began for call in evidence.calls)
    result.degraded = evidence.degraded
    result.violations = judge(evidence)
    for call in evidence.calls:
        note(
            f"{call.began:.3f} {call.ended - call.began:.3f} {call.kind} {call.buyer}"
            f" {call.item} {call.nonce[:8]} {call.outcome}"
        )
