"""Whether the stores are there, and keep what they are told."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from flashsale.breaker import Breaker
from flashsale.config import Settings
from flashsale.errors import Fault, Overloaded
from flashsale.inventory import Inventory
from flashsale.ledger import Ledger
from flashsale.logs import logger


@dataclass(frozen=True, slots=True)
class Check:
    """One store's state: up, unsafe (it answers, but may lose or drop data) or down."""

    status: str
    latency_ms: float
    breaker: str
    problems: tuple[str, ...] = ()


class Health:
    """Looks at both stores at once."""

    def __init__(self, settings: Settings, inventory: Inventory, ledger: Ledger) -> None:
        self._settings = settings
        self._inventory = inventory
        self._ledger = ledger

    async def check(self) -> dict[str, Check]:
        """Check both stores; never raises for a store's failure."""
        redis, postgres = await asyncio.gather(
            _timed(self._redis_problems, self._inventory.breaker),
            _timed(self._postgres_problems, self._ledger.breaker),
        )
        return {"redis": redis, "postgres": postgres}

    async def _redis_problems(self) -> list[str]:
        told = await self._inventory.information()
        problems = []
        policy = told.get("maxmemory_policy", "unknown")
        if policy != "noeviction":
            problems.append(f"maxmemory-policy is {policy}, not noeviction: claims may vanish")
        if self._settings.redis_persistence == "required" and told.get("aof_enabled") != "1":
            problems.append("appendonly is off: a restart forgets every claim")
        if told.get("role") == "slave":
            problems.append("this is a replica: it can't be written to")
        return problems

    async def _postgres_problems(self) -> list[str]:
        settings = await self._ledger.durability()
        return [
            f"{name} is off: a crash may lose sales"
            for name in ("fsync", "full_page_writes", "synchronous_commit")
            if settings.get(name) == "off"
        ]


async def _timed(problems: Callable[[], Awaitable[list[str]]], breaker: Breaker) -> Check:
    started = time.perf_counter()
    try:
        found = await problems()
    except (Fault, Overloaded) as fault:
        # Where the store is and why it fails is for the log, not for whoever asks.
        logger().warning("store is down", extra={"fault": str(fault)})
        return Check("down", _since_ms(started), breaker.state, ("it does not answer",))
    status = "unsafe" if found else "up"
    return Check(status, _since_ms(started), breaker.state, tuple(found))


def _since_ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1_000, 2)
