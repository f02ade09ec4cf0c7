"""Holds a sale against its promises, in both stores, and counts what breaks them."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from flashsale.inventory import Inventory
from flashsale.inventory.claims import Claims
from flashsale.ledger import Ledger
from flashsale.logs import logger
from flashsale.metrics import metrics
from flashsale.model import Sale, Sold

# The stores are read one after the other while the sale goes on: only what is still so after this
# pause is a difference between them, and not a sale in between.
SETTLE_SECONDS = 1.0
# A claim this long past its lease was forgotten by everybody, reconcile included.
OVERDUE_MS = 70_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: the promise it guards (0: none of the six, but wrong), and what breaks it."""

    promise: int
    check: str
    violations: int
    example: str = ""


class Audit:
    """Reads both stores and changes nothing."""

    def __init__(self, inventory: Inventory, ledger: Ledger) -> None:
        self._inventory = inventory
        self._ledger = ledger

    async def run(self, sale: Sale) -> list[Finding]:
        """Check one sale.

        Raises:
            Fault: a store could not be read.
        """
        findings = [
            Finding(promise, check, violations, example)
            for promise, check, violations, example in await self._ledger.audit(sale)
        ]
        first = await self._differences(sale)
        await asyncio.sleep(SETTLE_SECONDS)
        second = await self._differences(sale)
        for (promise, check), found in second.items():
            lasting = sorted(found & first[promise, check])
            findings.append(Finding(promise, check, len(lasting), lasting[0] if lasting else ""))
        return sorted(findings, key=lambda finding: finding.promise)

    async def count(self, sale: Sale) -> int:
        """Check one sale, and return how many violations there are, for an alarm; each check that
        fails is logged.

        Raises:
            Fault: as `run`.
        """
        broken = [finding for finding in await self.run(sale) if finding.violations]
        for finding in broken:
            logger().error("promise broken", extra=asdict(finding))
        violations = sum(finding.violations for finding in broken)
        metrics().level("AuditViolations", violations)
        return violations

    async def _differences(self, sale: Sale) -> dict[tuple[int, str], set[str]]:
        """Where Redis and the ledger disagree. Redis is read on both sides of the ledger, so that
        a sale made meanwhile is on the right side of each comparison."""
        before = await self._inventory.claims(sale.starts_at)
        sold = {fact.item: fact for fact in await self._ledger.sold_in_sale(sale.starts_at)}
        after = await self._inventory.claims(sale.starts_at)
        return {
            (3, "sold in Redis, not in the ledger"): _wrong_in_redis(before, sold),
            (6, "sold in the ledger, free in Redis"): _missing_in_redis(after, sold),
            (6, "held long after the lease"): _stuck(after),
            (6, "held without a lease, or leased without a hold"): _loose(after),
            (2, "a buyer's counts differ from the claims"): _miscounted(after),
        }


def _wrong_in_redis(claims: Claims, sold: Mapping[int, Sold]) -> set[str]:
    return {f"item {item}" for item, fact in claims.sold.items() if sold.get(item) != fact}


def _missing_in_redis(claims: Claims, sold: Mapping[int, Sold]) -> set[str]:
    if not claims.loaded:  # then nobody is served from it
        return set()
    return {f"item {item}" for item in sold if item not in claims.sold and item not in claims.held}


def _stuck(claims: Claims) -> set[str]:
    late = {item for item, ends in claims.leases.items() if claims.now_ms - ends > OVERDUE_MS}
    return {f"item {item}" for item in late}


def _loose(claims: Claims) -> set[str]:
    return {f"item {item}" for item in claims.held.keys() ^ claims.leases.keys()}


def _miscounted(claims: Claims) -> set[str]:
    held = Counter(claim.buyer for claim in claims.held.values())
    sold = Counter(fact.buyer for fact in claims.sold.values())
    buyers = held.keys() | sold.keys() | claims.counts.keys()
    wrong = [b for b in buyers if claims.counts.get(b, (0, 0)) != (held[b], sold[b])]
    return {f"buyer {buyer}" for buyer in wrong}
