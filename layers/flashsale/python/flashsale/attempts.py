"""Keeps every checkout attempt: in PostgreSQL at once or, by way of a stream in Redis, soon."""

import asyncio
import json
import re
from dataclasses import dataclass

from flashsale.config import Settings
from flashsale.errors import EntryRejected, StoreDown, StoreSilent
from flashsale.inventory import Inventory
from flashsale.inventory.stream import Entry
from flashsale.ledger import Ledger
from flashsale.logs import logger
from flashsale.metrics import metrics
from flashsale.model import Attempt, Calendar

# How many sales back `persist` looks for attempts that waited.
SALES_BACK = 48
_NONCE = re.compile(rb"[0-9a-f]{32}")
_BUYER = re.compile(rb"[A-Za-z0-9._@:-]{1,64}")
_NUMBER = re.compile(rb"[0-9]{1,5}")
_TIME_MS = re.compile(rb"[0-9]{13}")
_OUTCOME = re.compile(rb"available|sold_out|limit_exceeded")


@dataclass(frozen=True, slots=True)
class Persisted:
    """What a run moved from Redis to PostgreSQL, and what it had to put aside."""

    moved: int
    dead: int


class Attempts:
    """In `ledger` mode `record` returns when an attempt is in PostgreSQL, or, while that is away,
    in the stream; `persist` moves what waits in the stream."""

    def __init__(self, settings: Settings, inventory: Inventory, ledger: Ledger) -> None:
        self._settings = settings
        self._inventory = inventory
        self._ledger = ledger
        self._calendar = Calendar(settings.sale_seconds, settings.items_per_sale)

    async def record(self, attempt: Attempt) -> None:
        """Keep an attempt.

        Raises:
            Fault: neither store could keep it.
            Overloaded: PostgreSQL is away and the stream is full.
        """
        try:
            await self._ledger.record(attempt)
        except (StoreDown, StoreSilent):
            await self._inventory.attempts.append(attempt)

    async def persist(self, now: float) -> Persisted:
        """Move every attempt that waits to PostgreSQL. `now` is Unix seconds."""
        moved = dead = 0
        metrics().level("AttemptsWaiting", await self.lag(now))
        current = self._calendar.sale_at(now).starts_at
        for back in range(SALES_BACK):
            starts_at = current - back * self._settings.sale_seconds
            while await self._inventory.attempts.length(starts_at):
                entries = await self._inventory.attempts.take(
                    starts_at, most=self._settings.batch_max
                )
                if not entries:
                    break  # somebody else has taken the rest
                done = await self._persist(entries)
                moved, dead = moved + done.moved, dead + done.dead
        if moved or dead:
            logger().info("attempts persisted", extra={"moved": moved, "dead": dead})
            metrics().count("AttemptsPersisted", moved)
            metrics().count("AttemptsPutAside", dead)
        return Persisted(moved, dead)

    async def lag(self, now: float) -> int:
        """Attempts of the current and the last sale that wait for PostgreSQL."""
        current = self._calendar.sale_at(now).starts_at
        before = current - self._settings.sale_seconds
        stream = self._inventory.attempts
        return await stream.length(current) + await stream.length(before)

    async def _persist(self, entries: list[Entry]) -> Persisted:
        """Store what can be stored and put the rest aside, each for itself; then forget both."""
        outcomes = await asyncio.gather(
            *(self._store(entry) for entry in entries), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        await self._inventory.attempts.persisted(entries)
        stored = sum(outcome is True for outcome in outcomes)
        return Persisted(stored, len(entries) - stored)

    async def _store(self, entry: Entry) -> bool:
        """Store one entry, in the group commit that it shares with others, or put it aside."""
        attempt = _read(entry)
        if attempt is None:
            await self._bury(entry, "malformed")
            return False
        try:
            await self._ledger.record(attempt)
        except EntryRejected:
            await self._bury(entry, "refused by PostgreSQL")
            return False
        return True

    async def _bury(self, entry: Entry, reason: str) -> None:
        fields = {_shown(name): _shown(value) for name, value in entry.fields.items()}
        await self._ledger.bury(entry.starts_at, entry.id, json.dumps(fields), reason)
        logger().error("attempt put aside", extra={"entry": entry.id, "reason": reason})


def _read(entry: Entry) -> Attempt | None:
    """The attempt in an entry; None if it could not have been written by us."""
    get = entry.fields.get
    rules = {b"code": _NONCE, b"buyer": _BUYER, b"item": _NUMBER, b"outcome": _OUTCOME}
    rules[b"at_ms"] = _TIME_MS
    if not all(rule.fullmatch(get(name, b"")) for name, rule in rules.items()):
        return None
    return Attempt(
        at_ms=int(get(b"at_ms", b"")),
        nonce=get(b"code", b"").decode(),
        starts_at=entry.starts_at,
        buyer=get(b"buyer", b"").decode(),
        item=int(get(b"item", b"")),
        outcome=get(b"outcome", b"").decode(),
    )


def _shown(raw: bytes) -> str:
    """Any bytes as text that PostgreSQL takes, and not too much of it."""
    return raw[:200].decode("ascii", "backslashreplace").replace("\x00", "\\x00")
