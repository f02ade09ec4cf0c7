"""What the service says of itself: its health, its sale's figures, what is left."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import cast

from local.bench.address import Address
from local.bench.connection import ask

SALE_SECONDS_MIN = 60
WAIT_SECONDS_MAX = SALE_SECONDS_MIN + 60
PAGE_ITEMS = 1_000


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
        figures = cast("dict[str, str]", answer["stats"])
        return Stats(
            sale_id=str(answer["sale_id"]),
            ends_at=int(figures["end_time"]),
            total=int(figures["total_items"]),
            sold=int(figures["items_sold"]),
            inventory=int(figures["current_inventory"]),
        )
    except (KeyError, TypeError, ValueError) as error:
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


async def unsold(address: Address) -> list[int]:
    """The items that /items shows as not sold, in order. Raises ServiceError."""
    found: list[int] = []
    after: object = 0
    while after is not None:
        page = await _get(address, f"/items?after={after}&limit={PAGE_ITEMS}")
        try:
            found += [int(item["id"]) for item in page["items"] if not item["sold"]]  # type: ignore[attr-defined]
            after = page["next"]
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError(f"GET /items is not as documented: {page}") from error
    return found


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
