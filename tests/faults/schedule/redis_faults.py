"""What befalls Redis: its process, its data, its memory, its replica."""

import asyncio
import signal
import time

from tests.faults.schedule.plan import Strike
from tests.faults.schedule.world import World

# An append-only file that is synced every second may be written two seconds late.
_AOF_LATE_SECONDS = 2.0
_FLUSHES = 8


async def valkey_kill(world: World, strike: Strike) -> None:
    now = time.time()
    world.lost_in_redis(now - _AOF_LATE_SECONDS, now)
    world.gate.kill()
    await asyncio.sleep(strike.seconds)
    await world.gate.start()


async def aof_tail(world: World, strike: Strike) -> None:
    """A power cut: what was not yet on the disk is gone, 50 ms to a second of it."""
    tail = 0.05 + strike.luck * 0.95
    now = time.time()
    world.lost_in_redis(now - tail - _AOF_LATE_SECONDS, now)
    world.gate.kill()
    world.gate.lose_tail(tail)
    await asyncio.sleep(strike.seconds / 3)
    await world.gate.start()


async def valkey_stop(world: World, strike: Strike) -> None:
    world.gate.signal(signal.SIGSTOP)
    await asyncio.sleep(strike.seconds)
    world.gate.signal(signal.SIGCONT)


async def flushall(world: World, strike: Strike) -> None:
    await world.gate.ask("FLUSHALL")
    world.lost_in_redis(0, time.time())


async def flush_storm(world: World, strike: Strike) -> None:
    """Again and again, so that some of it hits the rebuilding."""
    for _ in range(_FLUSHES):
        await world.gate.ask("FLUSHALL")
        await asyncio.sleep(strike.seconds * strike.luck / _FLUSHES / 2)
    world.lost_in_redis(0, time.time())


async def script_flush(world: World, strike: Strike) -> None:
    await world.gate.ask("SCRIPT", "FLUSH")


async def maxmemory(world: World, strike: Strike) -> None:
    await world.gate.ask("CONFIG", "SET", "maxmemory", "1")
    await asyncio.sleep(strike.seconds)
    await world.gate.ask("CONFIG", "SET", "maxmemory", "64mb")


async def failover(world: World, strike: Strike) -> None:
    """The replica lags, the primary dies, and the replica knows nothing of the last writes."""
    replica = world.replica
    assert replica is not None
    since = time.time()
    replica.signal(signal.SIGSTOP)
    world.replication.holding = True
    await asyncio.sleep(strike.seconds / 2)
    world.gate.kill()
    world.replication.close()
    replica.signal(signal.SIGCONT)
    await asyncio.sleep(strike.luck * 0.2)
    await replica.promote()
    _promote(world)
    world.lost_in_redis(since, time.time())


async def split(world: World, strike: Strike) -> None:
    """Two primaries, each with some of the gateways; then one of them turns out to be wrong."""
    replica = world.replica
    assert replica is not None
    since = time.time()
    world.replication.close()
    await replica.promote()
    for gateway in world.gateways[1:]:
        gateway.redis.repoint(replica.server.port)
    await asyncio.sleep(strike.seconds)
    if strike.luck < 0.5:
        _promote(world)
    for gateway in world.gateways:
        gateway.redis.repoint(world.gate.server.port)
    world.lost_in_redis(since, time.time())


def _promote(world: World) -> None:
    """Make the replica the Valkey that counts, for everybody."""
    assert world.replica is not None
    world.gate, world.replica = world.replica, world.gate
    for gateway in world.gateways:
        gateway.redis.repoint(world.gate.server.port)
