"""The life of a sale: opened by whoever needs it first, tidied up after every crash."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flashsale.config import Settings
from flashsale.errors import Fault, NotFound, StoreDown
from flashsale.inventory import Inventory
from flashsale.ledger import Ledger
from flashsale.logs import logger
from flashsale.metrics import metrics
from flashsale.model import Calendar, Sale, Sold, Stock

_RECONCILE_BATCH = 200
# Loading 10,000 sold items takes a fraction of a second; whoever holds the lock longer is stuck.
_OPENING_SECONDS_MAX = 2.0
_OPENING_PAUSE_SECONDS = 0.02
_ASKED_SECONDS_MAX = 86_400


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a reconciliation found: claims that had sold after all, and claims given back."""

    confirmed: int
    released: int


class Sales:
    """Opens sales and keeps Redis true to the ledger. `clock` gives Unix seconds."""

    def __init__(
        self,
        settings: Settings,
        inventory: Inventory,
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._inventory = inventory
        self._ledger = ledger
        self._clock = clock
        self._under_way: dict[object, asyncio.Task[Any]] = {}
        self._in_ledger: set[int] = set()
        self.calendar = Calendar(settings.sale_seconds, settings.items_per_sale)

    def now_ms(self) -> int:
        """Our own clock, Unix ms."""
        return int(self._clock() * 1_000)

    def current(self) -> Sale:
        """The sale that is on by our own clock; Redis's clock has the last word."""
        return self.calendar.sale_at(self._clock())

    async def open_due(self, at: float | None = None) -> list[Sale]:
        """Open the current sale and, if it starts soon, the next one; then the one of `at` (Unix
        seconds), if it is another: one that was missed, or is to come. Safe to repeat, at any time.

        Raises:
            NotFound: `at` is more than a day away.
            Fault: a store is away; what was opened stays opened.
        """
        now = self._clock()
        soon = now + self._settings.prepare_ahead_seconds
        due = list(dict.fromkeys([self.calendar.sale_at(now), self.calendar.sale_at(soon)]))
        for sale in due:
            await self.open(sale)
        if at is not None and (asked := self.calendar.sale_at(at)) not in due:
            if abs(at - now) > _ASKED_SECONDS_MAX:
                raise NotFound("no sale is opened more than a day before or after its time")
            await self.open(asked)
            due.append(asked)
        return due

    async def open(self, sale: Sale) -> None:
        """Make a sale ready in both stores. Callers who ask at once share one run."""
        await self._shared(sale.starts_at, self._open(sale))

    async def open_in_ledger(self, sale: Sale) -> None:
        """Make sure that PostgreSQL knows a sale, its items and a place for its attempts."""
        if sale.starts_at not in self._in_ledger:
            if await self._ledger.open_sale(sale):
                logger().info("sale created", extra={"sale": sale.id, "items": sale.total})
            self._in_ledger.add(sale.starts_at)

    async def _open(self, sale: Sale) -> None:
        await self.open_in_ledger(sale)
        deadline = time.monotonic() + _OPENING_SECONDS_MAX
        while (await self._inventory.stock(sale.starts_at))[0] is None:
            async with self._ledger.opening(sale.starts_at) as mine:
                # Whoever holds the right may be frozen; to load a sale twice does no harm.
                if mine or time.monotonic() > deadline:
                    await self._load(sale)
                    return
            await asyncio.sleep(_OPENING_PAUSE_SECONDS)

    async def _load(self, sale: Sale) -> None:
        # What is sold while this runs is confirmed by whoever sells it. `loaded` comes last: until
        # then Redis refuses nobody for want of knowledge.
        facts = await self._ledger.sold_in_sale(sale.starts_at)
        await self._inventory.confirm_all(facts)
        if await self._inventory.open(sale):
            logger().info("sale loaded", extra={"sale": sale.id, "sold": len(facts)})
            metrics().count("SalesLoaded")

    async def heal(self) -> None:
        """Tell Redis what is sold where it knows less than the ledger: after a restart or failover
        that lost its last second, or where a sale could not be confirmed while it was away. What
        it forgot of claims is harmless, what it still holds has a lease.
        """
        for starts_at in self._recent():
            # The ledger first: what sells in between, its seller confirms.
            sold = await self._ledger.count_sold(starts_at) or 0
            known, _ = await self._inventory.stock(starts_at)
            if known is None:
                continue  # whoever needs the sale loads it
            same_run = await self._inventory.known_run(starts_at) == self._inventory.run_id
            if same_run and known >= sold:
                continue
            facts = await self._ledger.sold_in_sale(starts_at)
            await self._inventory.confirm_all(facts)
            await self._inventory.note_run(starts_at)
            told = {"starts_at": starts_at, "sold": len(facts), "known": known}
            logger().warning("told Redis what is sold", extra=told)
            metrics().count("RedisHealed")

    async def reconcile(self) -> Reconciled:
        """Settle claims whose lease is over, of the current sale and the one before it.

        The ledger decides: a code that sold is confirmed; any other is fenced off first, so that
        an insert still under way loses, and only then given back. Callers who ask at once share
        one run.
        """
        return await self._shared("reconcile", self._reconcile())

    async def _reconcile(self) -> Reconciled:
        await self.heal()
        confirmed = released = 0
        for starts_at in self._recent():
            while overdue := await self._inventory.overdue(starts_at, most=_RECONCILE_BATCH):
                done = await self._settle(starts_at, overdue)
                confirmed, released = confirmed + done.confirmed, released + done.released
        if confirmed or released:
            told = {"confirmed": confirmed, "released": released}
            logger().warning("claims reconciled", extra=told)
            metrics().count("ClaimsConfirmed", confirmed)
            metrics().count("ClaimsReleased", released)
        return Reconciled(confirmed, released)

    def _recent(self) -> tuple[int, int]:
        current = self.current().starts_at
        return current, current - self._settings.sale_seconds

    async def _settle(self, starts_at: int, overdue: Sequence[Sold]) -> Reconciled:
        had_sold = await asyncio.gather(*(self._ledger.fence(claim) for claim in overdue))
        sold = [claim for claim, yes in zip(overdue, had_sold, strict=True) if yes]
        void = [claim for claim, yes in zip(overdue, had_sold, strict=True) if not yes]
        await self._inventory.confirm_all(sold)
        await self._inventory.release(starts_at, [(claim.nonce, claim.item) for claim in void])
        return Reconciled(len(sold), len(void))

    async def stock(self) -> Stock:
        """How the current sale stands, by Redis or, while it is away, by the ledger."""
        sale = self.current()
        try:
            sold, now_ms = await self._inventory.stock(sale.starts_at)
            if now_ms // 1_000 >= sale.ends_at or now_ms // 1_000 < sale.starts_at:
                sale = self.calendar.sale_at(now_ms / 1_000)
                sold, _ = await self._inventory.stock(sale.starts_at)
            if sold is None:
                await self.open(sale)
                sold, _ = await self._inventory.stock(sale.starts_at)
        except Fault as fault:
            logger().warning("stock read from the ledger", extra={"fault": str(fault)})
            sold = None
        if sold is None:
            sold = await self._ledger.count_sold(sale.starts_at)
        if sold is None:
            raise StoreDown("the sale is not open")
        return Stock(sale, sold)

    async def watch(self) -> Stock:
        """Look how the current sale stands, open it where Redis has lost it, and let an alarm know.

        Raises:
            Fault: nobody can tell; then no sale counts as open.
        """
        stock = await self.stock()
        metrics().level("ItemsLeft", stock.sale.total - stock.sold)
        metrics().level("ItemsSold", stock.sold)
        return stock

    async def sold_among(self, sale: Sale, items: Sequence[int]) -> list[bool]:
        """Tell for each item of a sale whether it is sold."""
        try:
            states = await self._inventory.sold_among(sale.starts_at, items)
            if states is None:
                await self.open(sale)
                states = await self._inventory.sold_among(sale.starts_at, items)
            if states is not None:
                return states
        except Fault as fault:
            logger().warning("items read from the ledger", extra={"fault": str(fault)})
        sold = {fact.item for fact in await self._ledger.sold_in_sale(sale.starts_at)}
        return [item in sold for item in items]

    async def _shared(self, what: object, work: Coroutine[Any, Any, Result]) -> Result:
        """Join the run of `what` that is under way, or start it with `work`."""
        task = self._under_way.get(what)
        if task is None:
            task = self._under_way[what] = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(lambda _: self._under_way.pop(what, None))
        else:
            work.close()
        result: Result = await asyncio.shield(task)
        return result

    def sale_of(self, starts_at: int) -> Sale:
        """The sale that starts at a given time.

        Raises:
            NotFound: no sale starts then.
        """
        sale = self.calendar.sale_at(starts_at)
        if sale.starts_at != starts_at:
            raise NotFound("no such sale")
        return sale
