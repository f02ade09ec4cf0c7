"""One case of the matrix: a process is struck at a step, somebody comes next, the world settles."""

import asyncio
import contextlib
from dataclasses import dataclass
from enum import StrEnum

from flashsale.bootstrap import Service
from flashsale.errors import Fault, Overloaded

from tests.faults.matrix import promises
from tests.faults.matrix.operations import Operation, Scene
from tests.faults.matrix.steps import Fate, Steps
from tests.faults.matrix.world import World


class Stores(StrEnum):
    """What happens to the stores at that step."""

    KEEP = "stores_keep"
    REDIS_LOST = "redis_lost"
    TAIL_LOST = "tail_lost"
    LEASE_OVER = "lease_over"


class Next(StrEnum):
    """Who comes next."""

    SAME = "same_again"
    EXPIRED = "same_expired"
    ANOTHER = "another_buyer"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Case:
    operation: Operation
    fate: Fate
    stores: Stores
    next: Next

    async def dry_run(self, world: World) -> list[str]:
        """The steps that the operation takes if nothing goes wrong."""
        steps, _, service, _ = await self._act(world, 0)
        await world.end(service)
        return steps.taken

    async def run(self, world: World, step: int) -> None:
        """Strike at one step, and see that every promise holds in the end."""
        steps, scene, victim, call = await self._act(world, step)
        try:
            await self._go_on(world, steps, scene, victim, call)
        finally:
            steps.dead.set()

    async def _go_on(
        self,
        world: World,
        steps: Steps,
        scene: Scene,
        victim: Service,
        call: "asyncio.Task[None]",
    ) -> None:
        if not steps.struck:
            steps.strike_at_the_end()
        if self.operation.loads and self.stores is Stores.KEEP:
            promises.check_knowledge(world)
        if steps.dead.is_set():
            await world.vanish()
        elif not steps.frozen.is_set():
            await world.end(victim)
        fresh = world.process()
        await self._follow(world, fresh, scene)
        await _settle(world, fresh)
        if not self._is_answered(world, scene):
            await self._follow(world, fresh, scene)
            await _settle(world, fresh)
        if steps.frozen.is_set():
            promises.check_open(world)
            steps.thaw()
            await asyncio.wait([call])
            _result(call)
            await world.end(victim)
            await _settle(world, fresh)
        promises.check_reasons(world)
        await self._sell_the_rest(world, fresh, scene)
        await world.end(fresh)
        promises.check(world)
        if not self._may_lose_attempts():
            promises.check_attempts(world, dead=self.operation.dead)

    async def _act(
        self, world: World, step: int
    ) -> tuple[Steps, Scene, Service, asyncio.Task[None]]:
        """Prepare the world and run the operation, until it is over or cut short."""
        await world.begin()
        scene = await self.operation.prepare(world)
        victim = world.process(attempts_mode=self.operation.attempts_mode)
        steps = Steps(victim, at=step, fate=self.fate, storm=lambda: self._storm(world))
        if self.stores is Stores.TAIL_LOST:
            world.weather.remember()
            steps.before_redis = world.weather.remember
        if self.operation.away:
            store = victim.inventory if self.operation.away == "redis" else victim.ledger
            for _ in range(3):
                store.breaker.failed()
        call = asyncio.create_task(self.operation.act(world, victim, scene))
        if not await _reaches(call, steps):
            _result(call)
            await _reaches(asyncio.create_task(victim.background.settled()), steps)
        return steps, scene, victim, call

    def _storm(self, world: World) -> None:
        if self.stores is Stores.REDIS_LOST:
            world.weather.lose_redis()
        elif self.stores is Stores.TAIL_LOST:
            world.weather.lose_tail()
        elif self.stores is Stores.LEASE_OVER:
            world.weather.end_leases()

    async def _follow(self, world: World, fresh: Service, scene: Scene) -> None:
        if self.next is Next.SAME:
            with contextlib.suppress(Fault):
                await self.operation.act(world, fresh, scene)
        elif self.next is Next.EXPIRED:
            await world.insist(fresh, world.expired(scene.code))
        elif self.next is Next.ANOTHER:
            await world.insist(fresh, scene.other)
        await fresh.background.settled()

    def _is_answered(self, world: World, scene: Scene) -> bool:
        """Whether whoever came next has bought; who was refused for good asks once more."""
        if self.next is Next.NOBODY:
            return True
        return world.history.has_bought(scene.other if self.next is Next.ANOTHER else scene.code)

    async def _sell_the_rest(self, world: World, fresh: Service, scene: Scene) -> None:
        """What nobody bought, anybody may buy, at once."""
        for item in sorted({scene.code.item, scene.other.item}):
            sold = world.query(
                "select from purchases where item = :item and state = 'sold'", item=item
            )
            if not sold:
                answer = await world.buy(fresh, world.code("zoe", item))
                assert isinstance(answer, str), f"item {item} is free, and zoe hears {answer!r}"
        await fresh.background.settled()

    def _may_lose_attempts(self) -> bool:
        """Attempts that lie only in Redis go with it, as the documentation says."""
        in_stream = self.operation.attempts_mode == "stream" or self.operation.dead
        kept = self.stores in (Stores.KEEP, Stores.LEASE_OVER)
        return not kept and bool(in_stream or self.operation.away == "postgresql")


async def _settle(world: World, fresh: Service) -> None:
    """Leases run out, the schedules run, somebody asks for the stock."""
    world.weather.end_leases()
    world.weather.end_consumers()
    await fresh.sales.reconcile()
    await fresh.sales.stock()
    await fresh.attempts.persist(world.starts_at)
    await fresh.background.settled()


async def _reaches(task: "asyncio.Task[None]", steps: Steps) -> bool:
    """Wait until a task is done or its process is cut short; tell whether it is the latter."""
    ends = [asyncio.create_task(event.wait()) for event in (steps.dead, steps.frozen)]
    await asyncio.wait([task, *ends], return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    return not task.done()


def _result(call: "asyncio.Task[None]") -> None:
    """A fault is no answer to a buyer, and a schedule comes again; anything else is a bug."""
    with contextlib.suppress(Fault, Overloaded):
        call.result()
