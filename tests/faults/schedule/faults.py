"""The faults that strike a world, by kind. Each returns when what it did has ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random

from tests.faults.schedule import postgres_faults, redis_faults
from tests.faults.schedule.plan import SERVICE_KINDS, Strike
from tests.faults.schedule.proxy import Proxy
from tests.faults.schedule.world import World

Fault = Callable[[World, Strike], Awaitable[None]]


async def strike_all(world: World, *, note: Callable[[str], None]) -> None:
    """Let the plan's strikes happen: those of one store one after another."""
    began = time.monotonic()
    stores = {"redis": asyncio.Lock(), "postgres": asyncio.Lock(), "service": asyncio.Lock()}

    async def happen(strike: Strike) -> None:
        await asyncio.sleep(strike.at)
        async with stores[_store(strike.kind)]:
            note(f"{time.monotonic() - began:.3f} s  {strike}")
            await FAULTS[strike.kind](world, strike)

    await asyncio.gather(*(happen(strike) for strike in world.plan.strikes))


def _store(kind: str) -> str:
    if kind in SERVICE_KINDS:
        return "service"
    return "postgres" if kind.startswith("postgres") else "redis"


# The network


def _network(effect: Callable[[Proxy], None], *, of: str) -> Fault:
    async def hit(world: World, strike: Strike) -> None:
        since = time.time()
        hit = [
            gateway
            for number, gateway in enumerate(world.gateways)
            if strike.victim is None or number == strike.victim
        ]
        proxies = [gateway.redis if of == "redis" else gateway.postgres for gateway in hit]
        for proxy in proxies:
            effect(proxy)
        await asyncio.sleep(strike.seconds)
        for proxy in proxies:
            proxy.mend()
        if of == "postgres":
            world.trouble_in_ledger(since, time.time())

    return hit


def _cut(proxy: Proxy) -> None:
    proxy.refusing = True
    proxy.cut()


def _slow(proxy: Proxy) -> None:
    proxy.delay_seconds = 0.03


def _hole(proxy: Proxy) -> None:
    proxy.holding = True


def _ackloss(proxy: Proxy) -> None:
    proxy.deaf = True


# The service


async def _crash(world: World, strike: Strike) -> None:
    assert strike.victim is not None
    fresh = await world.newcomer()
    world.replace(strike.victim, fresh, silently=strike.luck < 0.5)


async def _crash_in_rebuild(world: World, strike: Strike) -> None:
    """Redis is emptied, and who fills it again is gone within the next 10 ms."""
    assert strike.victim is not None
    fresh, gateway = await world.newcomer(), world.gateways[strike.victim]
    await redis_faults.flushall(world, strike)
    rebuilding = gateway.run(gateway.service.sales.open(world.sale))
    await asyncio.wait([rebuilding], timeout=strike.luck * 0.01)
    world.replace(strike.victim, fresh, silently=strike.seconds < 0.5)


async def _clock(world: World, strike: Strike) -> None:
    """One gateway's clock jumps five seconds, and stays wrong for a while."""
    assert strike.victim is not None
    gateway = world.gateways[strike.victim]
    gateway.skew = Random(strike.luck).choice((-5.0, 5.0))
    await asyncio.sleep(strike.seconds)
    gateway.skew = 0.0


FAULTS: dict[str, Fault] = {
    "valkey_kill": redis_faults.valkey_kill,
    "valkey_stop": redis_faults.valkey_stop,
    "flushall": redis_faults.flushall,
    "flush_storm": redis_faults.flush_storm,
    "aof_tail": redis_faults.aof_tail,
    "failover": redis_faults.failover,
    "split": redis_faults.split,
    "script_flush": redis_faults.script_flush,
    "maxmemory": redis_faults.maxmemory,
    "redis_cut": _network(_cut, of="redis"),
    "redis_delay": _network(_slow, of="redis"),
    "redis_hole": _network(_hole, of="redis"),
    "redis_ackloss": _network(_ackloss, of="redis"),
    "postgres_kill": postgres_faults.postgres_kill,
    "postgres_stop": postgres_faults.postgres_stop,
    "postgres_terminate": postgres_faults.postgres_terminate,
    "postgres_cut": _network(_cut, of="postgres"),
    "postgres_delay": _network(_slow, of="postgres"),
    "postgres_hole": _network(_hole, of="postgres"),
    "postgres_ackloss": _network(_ackloss, of="postgres"),
    "crash": _crash,
    "crash_in_rebuild": _crash_in_rebuild,
    "clock": _clock,
}
