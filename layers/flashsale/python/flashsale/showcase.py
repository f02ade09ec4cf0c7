"""The whole sale at a glance: what is sold, item by item, asked for once however many look."""

import asyncio
import time
from dataclasses import dataclass

from flashsale.model import Sale
from flashsale.sales import Sales

FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Glance:
    """A sale and its sold items: item n is bit (n - 1) % 8, counted from the least significant
    one, of byte (n - 1) // 8. `sold` is how many bits are set."""

    sale: Sale
    sold: int
    bits: bytes


class Showcase:
    """Looks at the current sale, at most once in `FRESH_SECONDS` for all onlookers together, and
    asks for nothing that it knows: what is sold stays sold."""

    def __init__(self, sales: Sales) -> None:
        self._sales = sales
        self._starts_at = 0
        self._sold: set[int] = set()
        self._counted = 0  # how many were sold by the store's count, which may forget some
        self._seen: Glance | None = None
        self._seen_at = 0.0
        self._look: asyncio.Task[Glance] | None = None

    async def glance(self) -> Glance:
        """The sale as it stood within the last second.

        Raises:
            Fault: neither store can tell.
        """
        seen = self._seen
        if (
            seen is not None
            and time.monotonic() - self._seen_at < FRESH_SECONDS
            and seen.sale.ends_at * 1_000 > self._sales.now_ms()
        ):
            return seen
        if self._look is None or self._look.done():
            self._look = asyncio.get_running_loop().create_task(self._looked())
        # Who leaves does not spoil it for the others.
        return await asyncio.shield(self._look)

    async def _looked(self) -> Glance:
        stock = await self._sales.stock()
        sale = stock.sale
        if sale.starts_at != self._starts_at:
            self._starts_at, self._sold, self._seen = sale.starts_at, set(), None
        if self._seen is None or stock.sold != self._counted:
            open_items = [item for item in range(1, sale.total + 1) if item not in self._sold]
            gone = await self._sales.sold_among(sale, open_items) if open_items else []
            self._sold.update(item for item, sold in zip(open_items, gone, strict=True) if sold)
            self._counted = stock.sold
            self._seen = Glance(sale, len(self._sold), _bits(self._sold, sale.total))
        self._seen_at = time.monotonic()
        return self._seen


def _bits(sold: set[int], total: int) -> bytes:
    bits = bytearray((total + 7) // 8)
    for item in sold:
        bits[(item - 1) >> 3] |= 1 << ((item - 1) & 7)
    return bytes(bits)
