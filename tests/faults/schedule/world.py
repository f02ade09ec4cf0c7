"""A run's world: stores, gateways and the schedules that tidy up behind them."""

import asyncio
import dataclasses
import signal
import time
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Any

from flashsale.config import Settings
from flashsale.errors import Fault, Refusal
from flashsale.model import Calendar, Sale

from tests.faults.schedule.gateway import Gateway, watch_tasks
from tests.faults.schedule.history import Call, Evidence, Window
from tests.faults.schedule.plan import Plan
from tests.faults.schedule.proxy import Proxy
from tests.faults.schedule.stores import Gate, Ledgers

_RECONCILE_EVERY_SECONDS = 0.3
_EDGE_SECONDS = 60


class World:
    """What strikes and buyers act upon. `gate` is the Valkey that counts, `replica` follows it."""

    def __init__(self, plan: Plan, ledgers: Ledgers, database: str, folder: Path) -> None:
        self.plan = plan
        self.ledgers = ledgers
        self.database = database
        self.folder = folder
        self.evidence = Evidence(plan.items, plan.quiet, plan.attempts_mode)
        self.gateways: list[Gateway] = []
        self.retired: list[Gateway] = []
        self.gate = Gate(folder / "valkey-1")
        self.replica: Gate | None = None
        self.replication = Proxy(0)
        self.settings = _settings(plan, ledgers.settings(database))
        self.degraded = 0
        self.over = asyncio.Event()
        """When set, buyers finish what they are at, and leave."""

    @property
    def sale(self) -> Sale:
        return Calendar(self.settings.sale_seconds, self.plan.items).sale_at(time.time())

    async def start(self) -> None:
        """Start everything and open the sale."""
        watch_tasks(asyncio.get_running_loop())
        await self.gate.start()
        if self.plan.with_replica:
            self.replication.target_port = self.gate.server.port
            await self.replication.start()
            self.replica = Gate(
                self.folder / "valkey-2", replica_of=self.gate, through=self.replication.port
            )
            await self.replica.start()
            while not await self.replica.follows():
                await asyncio.sleep(0.01)
        for _ in range(self.plan.services):
            self.gateways.append(await self.newcomer())
        await self.gateways[0].run(self.gateways[0].service.sales.open_due())

    async def newcomer(self) -> Gateway:
        """A gateway that knows nothing yet."""
        made = Gateway(self.settings, self.gate.server)
        await made.start()
        return made

    def replace(self, number: int, fresh: Gateway, *, silently: bool) -> None:
        """Crash a gateway and put another in its place."""
        old = self.gateways[number]
        fresh.redis.repoint(self.gate.server.port)  # there may have been a failover since
        self.degraded += old.service.shop.degraded.total
        self.retired.append(old)
        self.gateways[number] = fresh
        old.crash(silently=silently)

    async def call(
        self, gateway: Gateway, call: Call, work: Coroutine[Any, Any, Any], *, patience: float = 60
    ) -> Any:
        """Make one call, note what came of it, and return the answer, None if there was none."""
        task = gateway.run(work)
        call.began = time.time()
        await asyncio.wait([task], timeout=patience)
        call.ended = time.time()
        self.evidence.calls.append(call)
        if not task.done():
            call.outcome = "left"
            task.add_done_callback(self._unheard)
            return None
        call.outcome = _outcome(task)
        return task.result() if call.outcome == "ok" else None

    def _unheard(self, task: asyncio.Task[Any]) -> None:
        """What nobody waited for may fail, but not blow up."""
        outcome = _outcome(task)
        if outcome.startswith("error"):
            self.evidence.calls.append(Call("unheard", outcome=outcome))

    async def keep_schedules(self, dice: Random) -> None:
        """Reconcile and persist now and then, as the schedules do, on any gateway."""
        while not self.over.is_set():
            await asyncio.sleep(_RECONCILE_EVERY_SECONDS * dice.uniform(0.5, 1.5))
            await self.run_schedules(dice.choice(self.gateways))

    async def run_schedules(self, gateway: Gateway) -> bool:
        """One run of each schedule; whether both succeeded."""
        calls = []
        for work in (
            gateway.service.sales.reconcile(),
            gateway.service.attempts.persist(time.time()),
        ):
            call = Call("schedule")
            await self.call(gateway, call, work)
            calls.append(call)
        return all(call.outcome == "ok" for call in calls)

    async def heal(self) -> None:
        """End every fault that a strike may have left."""
        self.gate.signal(signal.SIGCONT)
        self.ledgers.signal_all(signal.SIGCONT)
        await self.gate.start()
        await self.ledgers.start()
        await self.gate.ask("CONFIG", "SET", "maxmemory", "64mb")
        for gateway in self.gateways:
            gateway.skew = 0.0
            for proxy in (gateway.redis, gateway.postgres):
                proxy.mend()

    def lost_in_redis(self, since: float, until: float) -> None:
        self.evidence.redis_losses.append(Window(since, until))

    def trouble_in_ledger(self, since: float, until: float) -> None:
        """`until` plus the time for which a breaker may still be open."""
        self.evidence.ledger_troubles.append(Window(since, until + 3))

    async def end(self) -> None:
        for gateway in (*self.gateways, *self.retired):
            gateway.crash()
        self.replication.close()
        for gate in filter(None, (self.gate, self.replica)):
            gate.discard()


def _outcome(task: asyncio.Task[Any]) -> str:
    """How a call ended, in the words of `Call.outcome`."""
    if task.cancelled():
        return "crashed"
    error = task.exception()
    if error is None:
        return "ok"
    if isinstance(error, Refusal):
        return error.reason
    if isinstance(error, Fault):
        return "unavailable"  # as the edge says it
    return f"error: {type(error).__name__}: {error}"


def _settings(plan: Plan, stores: Settings) -> Settings:
    settings = dataclasses.replace(
        stores,
        items_per_sale=plan.items,
        sale_seconds=_sale_seconds(time.time()),
        prepare_ahead_seconds=0,
        attempts_mode=plan.attempts_mode,
        code_seconds=plan.code_seconds,
    )
    if plan.quiet:  # no fault of ours: then a busy machine must not look like one
        return settings
    return dataclasses.replace(settings, lease_ms=300, redis_timeout_ms=200, db_timeout_ms=500)


def _sale_seconds(now: float) -> int:
    """A length of sales that puts now well inside of one."""
    return next(
        seconds
        for seconds in (3_600, 4_800, 7_200, 14_400, 86_400)
        if _EDGE_SECONDS < now % seconds < seconds - _EDGE_SECONDS
    )
