"""What the ledger is asked and told; rows that wait for one commit go together in the next."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from flashsale.batching import Batcher, Bounds
from flashsale.breaker import Breaker
from flashsale.catalog import item_names
from flashsale.codes import CheckoutCode
from flashsale.config import Settings
from flashsale.errors import EntryRejected
from flashsale.invocation import under_way
from flashsale.ledger.session import Rows, Session
from flashsale.model import Attempt, Sale, Sold


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a code: `sold`, `void`, `item_taken`, `limit`, or `raced`/`open` (undecided).

    `winner` is the purchase that took the item, where one did.
    """

    word: str
    winner: Sold | None = None


SOLD = Decision("sold")


Coded = TypeVar("Coded", CheckoutCode, CheckoutCode | Sold)


class Ledger:
    """The arbiter. Every method raises a `Fault` when PostgreSQL fails, as `Session.run` says.

    Purchases, attempts and reads have a connection each: none of them waits for the others.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.breaker = Breaker("PostgreSQL")
        self._purchase_session = Session(settings, name="purchases", breaker=self.breaker)
        self._attempt_session = Session(settings, name="attempts", breaker=self.breaker)
        self._read_session = Session(settings, name="reads", breaker=self.breaker)
        bounds = Bounds(size_max=settings.batch_max, waiting_max=settings.waiting_max)
        wait = settings.gather_ms / 1_000
        self._purchases = Batcher(
            self._commit_purchases, crowd=under_way, gather_seconds=wait, **bounds
        )
        self._attempts = Batcher(
            self._commit_attempts, crowd=under_way, gather_seconds=wait, **bounds
        )
        self._look_ups = Batcher(self._read_verdicts, **bounds)
        self._fences = Batcher(self._commit_fences, **bounds)

    async def purchase(self, code: CheckoutCode) -> Decision:
        """Sell the code's item to its buyer, durably, or say what stands against it."""
        return await self._purchases.add(code)

    async def record(self, attempt: Attempt) -> None:
        """Keep an attempt; returns when it is durable."""
        await self._attempts.add(attempt)

    async def bury(self, starts_at: int, entry_id: str, fields: str, reason: str) -> None:
        """Put an attempt aside that can't be stored as one."""
        await self._attempt_session.run(
            "bury_attempt", starts_at=starts_at, entry_id=entry_id, fields=fields, reason=reason
        )

    async def look_up(self, code: CheckoutCode | Sold) -> Decision:
        """Say what stands in the ledger about a code, without deciding it."""
        return await self._look_ups.add(code)

    async def fence(self, code: CheckoutCode | Sold) -> bool:
        """Make sure that a code never sells. True if it had sold, and stays so."""
        return await self._fences.add(code)

    async def open_sale(self, sale: Sale) -> bool:
        """Create a sale with its items, and room for its attempts. True if it was not there."""
        await self._attempt_session.run(
            "keep_attempts",
            around=sale.starts_at,
            kept_days=self._settings.attempts_kept_days,
        )
        rows = await self._read_session.run(
            "open_sale",
            id=sale.id,
            starts_at=sale.starts_at,
            ends_at=sale.ends_at,
            total=sale.total,
            names=_joined(item_names(sale.starts_at, sale.total)),
        )
        return bool(rows[0][0])

    @asynccontextmanager
    async def opening(self, starts_at: int) -> AsyncIterator[bool]:
        """Hold, if nobody else does, the right to load a sale into Redis."""
        mine = bool((await self._read_session.run("lock_opening", starts_at=starts_at))[0][0])
        try:
            yield mine
        finally:
            if mine:
                await self._read_session.run("unlock_opening", starts_at=starts_at)

    async def sold_in_sale(self, starts_at: int) -> list[Sold]:
        """Everything that a sale has sold."""
        rows = await self._read_session.run("sold_in_sale", starts_at=starts_at)
        return [Sold(starts_at, item, _nonce(code), buyer) for item, code, buyer in rows]

    async def sold_to_buyer(self, starts_at: int, buyer: str) -> list[Sold]:
        """Everything that one buyer has bought in a sale."""
        rows = await self._read_session.run("sold_to_buyer", starts_at=starts_at, buyer=buyer)
        return [Sold(starts_at, item, _nonce(code), buyer) for item, code, buyer in rows]

    async def count_sold(self, starts_at: int) -> int | None:
        """Count a sale's sold items; None if there is no such sale."""
        rows = await self._read_session.run("count_sold", starts_at=starts_at)
        sold, exists = rows[0]
        return int(sold) if exists else None

    async def audit(self, sale: Sale) -> list[tuple[int, str, int, str]]:
        """What the ledger alone can tell of a sale's promises: rows of audit_sale.sql."""
        rows = await self._read_session.run("audit_sale", starts_at=sale.starts_at)
        return [(int(promise), check, int(broken), said) for promise, check, broken, said in rows]

    async def durability(self) -> dict[str, str]:
        """The server's settings on which a commit's durability rests."""
        return {str(name): str(value) for name, value in await self._read_session.run("durability")}

    async def close(self) -> None:
        """Commit what waits, then disconnect."""
        for batcher in (self._purchases, self._attempts, self._look_ups, self._fences):
            await batcher.settled()
        for session in (self._purchase_session, self._attempt_session, self._read_session):
            await session.close()

    async def _commit_purchases(self, codes: list[CheckoutCode]) -> list[Decision]:
        unique = _unique(codes)
        rows = await self._purchase_session.run(
            "purchase",
            **_columns(unique),
            purchase_ids=_joined(code.purchase_id for code in unique),
        )
        if not rows:
            return [SOLD] * len(codes)
        decided = _decisions(rows)
        # Silence about a code must never be taken for a sale.
        return [decided.get(code.nonce, Decision("raced")) for code in codes]

    async def _read_verdicts(self, codes: list[CheckoutCode | Sold]) -> list[Decision]:
        rows = await self._read_session.run("look_up", **_columns(_unique(codes)))
        found = _decisions(rows)
        return [found[code.nonce] for code in codes]

    async def _commit_fences(self, codes: list[CheckoutCode | Sold]) -> list[bool]:
        rows = await self._purchase_session.run("fence", **_columns(_unique(codes)))
        sold = {_nonce(code_id) for (code_id,) in rows}
        return [code.nonce in sold for code in codes]

    async def _commit_attempts(self, attempts: list[Attempt]) -> list[None]:
        columns = {
            "at_ms": _joined(attempt.at_ms for attempt in attempts),
            "codes": _joined(attempt.nonce for attempt in attempts),
            "sales": _joined(attempt.starts_at for attempt in attempts),
            "buyers": _joined(attempt.buyer for attempt in attempts),
            "items": _joined(attempt.item for attempt in attempts),
            "outcomes": _joined(attempt.outcome for attempt in attempts),
        }
        try:
            await self._attempt_session.run("record_attempts", **columns)
        except EntryRejected:  # perhaps because one of them is kept already
            await self._attempt_session.run("record_attempts_again", **columns)
        return [None] * len(attempts)


def _unique(codes: Sequence[Coded]) -> list[Coded]:
    """A code that was sent several times at once is decided once."""
    return list({code.nonce: code for code in codes}.values())


def _columns(codes: Sequence[CheckoutCode | Sold]) -> dict[str, str]:
    return {
        "codes": _joined(code.nonce for code in codes),
        "sales": _joined(code.starts_at for code in codes),
        "items": _joined(code.item for code in codes),
        "buyers": _joined(code.buyer for code in codes),
    }


def _decisions(rows: Rows) -> dict[str, Decision]:
    """Rows of (code, word, starts_at, item, winner, winner's buyer), by the code's nonce."""
    return {
        _nonce(code_id): Decision(
            word, Sold(int(starts_at), item, _nonce(winner), buyer) if winner else None
        )
        for code_id, word, starts_at, item, winner, buyer in rows
    }


def _joined(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def _nonce(code_id: str) -> str:
    return code_id.replace("-", "")
