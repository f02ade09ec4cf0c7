"""What visitors want: an endless or finite row of first requests, in the mix of a scenario."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, cycle, repeat
from typing import NamedTuple

from local.bench.address import Address

BUYERS = 2_000  # a process: 10,000 items make five each, and the limit is ten
PAGE_ITEMS = 20
LOOKED_AT = 1_000  # different items that browsers look at
# Of a hundred visits, as many buy, look at the sale's figures, at a page, and at an item.
BUYING = ("checkout",) * 100
BROWSING = ("stats",) * 30 + ("page",) * 30 + ("item",) * 40
MIXED = ("checkout",) * 50 + ("stats",) * 15 + ("page",) * 15 + ("item",) * 20


class Wish(NamedTuple):
    """A visit: `step` names its first request, whose bytes are ready; `item` is what it wants."""

    step: str
    request: bytes
    item: int


@dataclass(frozen=True)
class Mix:
    """Who wants what.

    `items` are bought in this order, once or again and again (`endless`); browsing goes on as long
    as buying. Where `contested` items are given, only `fresh` (a share of 1) of the buyers take the
    next of `items`, and all others one of those: that makes the stock last for the whole run.
    """

    kinds: tuple[str, ...]
    items: tuple[int, ...]
    endless: bool = True
    contested: tuple[int, ...] = ()
    fresh: float = 1.0
    total: int = 10_000  # items in the sale, to look at

    def part(self, number: int, count: int) -> "Mix":
        """The share of one process: of finite items a part, of endless ones all of them."""
        if self.endless:
            return self
        return replace(self, items=self.items[number::count])


def wishes(mix: Mix, address: Address, *, crowd: str) -> Iterator[Wish]:
    """The visits of one generator process; its buyers, named after `crowd`, are new to the sale."""
    kinds = list(mix.kinds)
    random.shuffle(kinds)
    looked_at = cycle(random.sample(range(1, mix.total + 1), min(mix.total, LOOKED_AT)))
    stats = Wish("stats", address.request("GET", "/stats"), 0)
    wanted = _wanted(mix)
    turn = 0
    for kind in cycle(kinds):
        if kind == "checkout":
            item = next(wanted, None)
            if item is None:
                return
            turn += 1
            target = f"/checkout?user_id={crowd}-{turn % BUYERS}&id={item}"
            yield Wish(kind, address.request("POST", target), item)
        elif kind == "stats":
            yield stats
        elif kind == "page":
            target = f"/items?after={next(looked_at) - 1}&limit={PAGE_ITEMS}"
            yield Wish(kind, address.request("GET", target), 0)
        else:
            item = next(looked_at)
            yield Wish(kind, address.request("GET", f"/items/{item}"), item)


def _wanted(mix: Mix) -> Iterator[int]:
    items = cycle(mix.items) if mix.endless else iter(mix.items)
    if not mix.contested:
        return items
    return _some_fresh(chain(items, repeat(0)), cycle(mix.contested), mix.fresh)


def _some_fresh(items: Iterator[int], contested: Iterator[int], fresh: float) -> Iterator[int]:
    due = 0.0
    while True:
        due += fresh
        item = 0
        if due >= 1:
            due -= 1
            item = next(items)
        yield item or next(contested)
