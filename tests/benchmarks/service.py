"""What the service says of itself: its health, its sale's figures, and whether they add up."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from tests.benchmarks.connection import Address, ask
from tests.benchmarks.tally import Tally

SALE_SECONDS_MIN = 60
WAIT_SECONDS_MAX = SALE_SECONDS_MIN + 60
SETTLE_SECONDS_MAX = 5.0  # /stats may trail the last purchases a little


class ServiceError(Exception):
    """The service can't be benchmarked: away, unhealthy, or without a sale."""


@dataclass(frozen=True)
class Stats:
    """What GET /stats answered."""

    sale_id: str
    ends_at: int  # Unix seconds
    total: int
    sold: int
    inventory: int


async def health(address: Address) -> float:
    """The service's clock, in Unix seconds. Raises ServiceError unless it is healthy."""
    answer = await _get(address, "/health")
    try:
        return float(answer["timestamp"])  # type: ignore[arg-type]  # the except is the check
    except (KeyError, TypeError, ValueError) as error:
        raise ServiceError(f"GET /health has no timestamp: {answer}") from error


async def stats(address: Address) -> Stats:
    """The current sale. Raises ServiceError."""
    answer = await _get(address, "/stats")
    try:
        figures = answer["stats"]
        assert isinstance(figures, dict)
        return Stats(
            sale_id=str(answer["sale_id"]),
            ends_at=int(figures["end_time"]),
            total=int(figures["total_items"]),
            sold=int(figures["items_sold"]),
            inventory=int(figures["current_inventory"]),
        )
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ServiceError(f"GET /stats is not as documented: {answer}") from error


async def sale_with_time(address: Address, say: Callable[[str], None]) -> Stats:
    """The current sale or, if less than 60 s of it remain, the next. Raises ServiceError."""
    deadline = monotonic() + WAIT_SECONDS_MAX
    said = False
    while True:
        now = await health(address)
        try:
            sale = await stats(address)
            remaining = sale.ends_at - now
            if remaining >= SALE_SECONDS_MIN:
                return sale
            why = f"only {remaining:.0f} s of {sale.sale_id} remain"
        except ServiceError as error:  # between two sales there may be none
            if not said:
                raise
            why = str(error)
        if monotonic() > deadline:
            raise ServiceError(f"no new sale in {WAIT_SECONDS_MAX} s: {why}")
        if not said:
            say(f"{why}: waiting for the next sale (--no-wait sells now)")
            said = True
        await asyncio.sleep(1)


async def audit(address: Address, *, before: Stats, tally: Tally) -> list[str]:
    """What disagrees between the replies and the service's own figures; nothing is well."""
    deadline = monotonic() + SETTLE_SECONDS_MAX
    while True:
        try:
            problems = _disagreements(before, await stats(address), tally.pairs)
        except ServiceError as error:
            problems = [str(error)]
        if not problems or monotonic() > deadline:
            return problems + _bad_receipts(tally.receipts)
        await asyncio.sleep(0.2)


def _disagreements(before: Stats, after: Stats, pairs: int) -> list[str]:
    if after.sale_id != before.sale_id:
        return [f"{before.sale_id} ended before the audit: now it is {after.sale_id}"]
    problems = []
    if after.sold - before.sold != pairs:
        problems.append(f"we bought {pairs} items, items_sold grew by {after.sold - before.sold}")
    if after.inventory != after.total - after.sold:
        problems.append(
            f"{after.total} items, {after.sold} sold, but current_inventory is {after.inventory}"
        )
    return problems


def _bad_receipts(receipts: list[bytes]) -> list[str]:
    """Every accepted purchase must say success, with a purchase_id that no other has."""
    ids: Counter[str] = Counter()
    for body in receipts:
        try:
            receipt = json.loads(body)
            if receipt["success"] is not True:
                raise ValueError("not a success")
            ids[receipt["purchase_id"]] += 1
        except (KeyError, TypeError, ValueError):
            return [f"a purchase was answered 200 with {body[:120]!r}"]
    repeated = [purchase_id for purchase_id, count in ids.items() if count > 1]
    return [f"{len(repeated)} purchase_ids came twice, as {repeated[0]}"] if repeated else []


async def _get(address: Address, target: str) -> dict[str, object]:
    try:
        reply = await ask(address, "GET", target)
        answer = json.loads(reply.body)
    except (OSError, ValueError) as error:
        reason = error or type(error).__name__
        raise ServiceError(f"GET {target} from {address.authority}: {reason}") from error
    if reply.status != 200 or not isinstance(answer, dict) or answer.get("success") is not True:
        raise ServiceError(f"GET {target}: {reply.status} {reply.body[:200]!r}")
    return answer
