"""What befalls PostgreSQL's processes."""

import asyncio
import signal
import time

import pg8000.exceptions

from tests.faults.schedule.plan import Strike
from tests.faults.schedule.world import World


async def postgres_kill(world: World, strike: Strike) -> None:
    since = time.time()
    await world.ledgers.kill()
    await asyncio.sleep(strike.seconds / 2)
    await world.ledgers.start()
    world.trouble_in_ledger(since, time.time())


async def postgres_stop(world: World, strike: Strike) -> None:
    since = time.time()
    world.ledgers.signal_all(signal.SIGSTOP)
    await asyncio.sleep(strike.seconds)
    world.ledgers.signal_all(signal.SIGCONT)
    world.trouble_in_ledger(since, time.time())


async def postgres_terminate(world: World, strike: Strike) -> None:
    """An administrator ends every session of the service, a few times over."""
    since = time.time()
    for _ in range(1 + int(strike.luck * 3)):
        try:
            await asyncio.to_thread(
                world.ledgers.run,
                "postgres",
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = :name",
                name=world.database,
            )
        except (OSError, pg8000.exceptions.Error):
            break  # there is nobody to ask
        await asyncio.sleep(strike.seconds / 4)
    world.trouble_in_ledger(since, time.time())
