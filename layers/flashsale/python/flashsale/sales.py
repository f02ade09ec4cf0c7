"""The life of a sale: opened by whoever needs it first, tidied up after every crash."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flashsale.config import Settings
from flashsale.errors import Fault, NotFound, StoreDown
from flashsale.inventory import Inventory
from flashsale.ledger import Ledger
from flashsale.logs import logger
from flashsale.model import Calendar, Sale, Sold, Stock

_RECONCILE_BATCH = 200


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
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._in_ledger: set[int] = set()
        self.calendar = Calendar(settings.sale_seconds, settings.items_per_sale)

    def current(self) -> Sale:
        """The sale that is on by our own clock; Redis's clock has the last word."""
        return self.calendar.sale_at(self._clock())

    async def open_due(self) -> list[Sale]:
        """Open the current sale and, if it starts soon, the next one. Safe to repeat, at any time.

        Raises:
            Fault: a store is away; what was opened stays opened.
        """
        now = self._clock()
        due = {
            self.calendar.sale_at(now).starts_at: self.calendar.sale_at(now),
        }
        soon = self.calendar.sale_at(now + self._settings.prepare_ahead_seconds)
        due[soon.starts_at] = soon
        for sale in due.values():
            await self.open(sale)
        return list(due.values())

    async def open(self, sale: Sale) -> None:
        """Make a sale ready in both stores. Callers who ask at once share one run."""
        task = self._opening.get(sale.starts_at)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._open(sale))
            self._opening[sale.starts_at] = task
            task.add_done_callback(lambda _: self._opening.pop(sale.starts_at, None))
        await asyncio.shield(task)

    async def open_in_ledger(self, sale: Sale) -> None:
        """Make sure that PostgreSQL knows a sale, its items and a place for its attempts."""
        if sale.starts_at not in self._in_ledger:
            if await self._ledger.open_sale(sale):
                logger().info("sale created", extra={"sale": sale.id, "items": sale.total})
            self._in_ledger.add(sale.starts_at)

    async def _open(self, sale: Sale) -> None:
        await self.open_in_ledger(sale)
        sold, _ = await self._inventory.stock(sale.starts_at)
        if sold is not None:
            return
        # What is sold while this runs is confirmed by whoever sells it. `loaded` comes last: until
        # then Redis refuses nobody for want of knowledge.
        facts = await self._ledger.sold_in_sale(sale.starts_at)
        await self._inventory.confirm_all(facts)
        if await self._inventory.open(sale):
            logger().info("sale loaded", extra={"sale": sale.id, "sold": len(facts)})

    async def reconcile(self) -> Reconciled:
        """Settle claims whose lease is over, of the current sale and the one before it.

        The ledger decides: a code that sold is confirmed; any other is fenced off first, so that
        an insert still under way loses, and only then given back.
        """
        current = self.current()
        confirmed = released = 0
        for starts_at in (current.starts_at, current.starts_at - self._settings.sale_seconds):
            while overdue := await self._inventory.overdue(starts_at, most=_RECONCILE_BATCH):
                done = await self._settle(starts_at, overdue)
                confirmed, released = confirmed + done.confirmed, released + done.released
        if confirmed or released:
            told = {"confirmed": confirmed, "released": released}
            logger().warning("claims reconciled", extra=told)
        return Reconciled(confirmed, released)

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

    async def sold_among(self, sale: Sale, items: Sequence[int]) -> list[bool]:
        """Tell for each item of a sale whether it is sold."""
        try:
            return await self._inventory.sold_among(sale.starts_at, items)
        except Fault as fault:
            logger().warning("items read from the ledger", extra={"fault": str(fault)})
        sold = {fact.item for fact in await self._ledger.sold_in_sale(sale.starts_at)}
        return [item in sold for item in items]

    def sale_of(self, starts_at: int) -> Sale:
        """The sale that starts at a given time.

        Raises:
            NotFound: no sale starts then.
        """
        sale = self.calendar.sale_at(starts_at)
        if sale.starts_at != starts_at:
            raise NotFound("no such sale")
        return sale
