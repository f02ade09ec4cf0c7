"""Whether what buyers were told adds up: with the service's own figures, and with itself."""

import asyncio
import json
from collections import Counter
from time import monotonic

from local.bench.address import Address
from local.bench.service import ServiceError, Stats, stats
from local.bench.tally import Tally

SETTLE_SECONDS_MAX = 5.0  # /stats may trail the last purchases a little


async def audit(address: Address, *, before: Stats, tally: Tally) -> list[str]:
    """What disagrees with the service's own figures; nothing is well. Others must not buy."""
    deadline = monotonic() + SETTLE_SECONDS_MAX
    while True:
        try:
            problems = disagreements(before, await stats(address), tally)
        except ServiceError as error:
            problems = [str(error)]
        if not problems or monotonic() > deadline:
            return problems
        await asyncio.sleep(0.2)


def disagreements(before: Stats, after: Stats, tally: Tally) -> list[str]:
    """items_sold must have grown by what was bought. A purchase without an answer may be sold."""
    if after.sale_id != before.sale_id:
        return [f"{before.sale_id} ended before the audit: now it is {after.sale_id}"]
    problems = []
    bought, grew = tally.now.pairs, after.sold - before.sold
    if not bought <= grew <= bought + tally.unheard:
        unheard = f" and {tally.unheard} without an answer" if tally.unheard else ""
        problems.append(f"we bought {bought} items{unheard}, items_sold grew by {grew}")
    if after.inventory != after.total - after.sold:
        problems.append(
            f"{after.total} items, {after.sold} sold, but current_inventory is {after.inventory}"
        )
    return problems


def bad_receipts(receipts: list[tuple[int, bytes]], *, one_sale: bool) -> list[str]:
    """Every accepted purchase must say success, with a purchase_id that no other has.

    `one_sale`: all were of the same sale, so no item may come twice.
    """
    ids: Counter[str] = Counter()
    items: Counter[int] = Counter()
    for item, body in receipts:
        try:
            receipt = json.loads(body)
            if receipt["success"] is not True:
                raise ValueError("not a success")
            ids[receipt["purchase_id"]] += 1
            items[item] += 1
        except (KeyError, TypeError, ValueError):
            return [f"a purchase was answered 200 with {body[:120]!r}"]
    problems = []
    if repeated := [found for found, count in ids.items() if count > 1]:
        problems.append(f"{len(repeated)} purchase_ids came twice, as {repeated[0]}")
    if one_sale and (again := [found for found, count in items.items() if count > 1]):
        problems.append(f"{len(again)} items were sold twice, as item {again[0]}")
    return problems
