"""The values everybody speaks of: a sale, and what the stores answer about it."""

import hashlib
from dataclasses import dataclass

BUYER_LIMIT = 10
"""Most items one buyer may buy in one sale; the ledger's slots are numbered 1 to this."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: from which address, and as which subject of a checked token."""

    address: str = ""
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale. Times are Unix seconds; `starts_at` is the key of everything that belongs to it."""

    starts_at: int
    ends_at: int
    total: int

    @property
    def id(self) -> str:
        """`sale_1640995200_a1b2c3d4`: derived, so that whoever opens the sale gives the same."""
        digest = hashlib.sha256(f"flashsale:sale:{self.starts_at}".encode()).hexdigest()
        return f"sale_{self.starts_at}_{digest[:8]}"


@dataclass(frozen=True, slots=True)
class Calendar:
    """The grid of sales: one after another, each `sale_seconds` long, aligned to the epoch."""

    sale_seconds: int
    items_per_sale: int

    def sale_at(self, now: float) -> Sale:
        """The sale that is on at `now`, Unix seconds."""
        return self.sale_starting(int(now) // self.sale_seconds * self.sale_seconds)

    def sale_starting(self, starts_at: int) -> Sale:
        return Sale(starts_at, starts_at + self.sale_seconds, self.items_per_sale)


@dataclass(frozen=True, slots=True)
class Sold:
    """A fact of the ledger: this code bought this item for this buyer. `nonce` is 32 hex digits."""

    starts_at: int
    item: int
    nonce: str
    buyer: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A checkout that was asked for, granted or not. `at_ms` is Redis's clock, Unix ms."""

    at_ms: int
    nonce: str
    starts_at: int
    buyer: str
    item: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Stock:
    """How a sale stands."""

    sale: Sale
    sold: int
