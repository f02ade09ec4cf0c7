"""What the clients of a run asked and heard, and what the stores hold once all has settled."""

from collections import Counter
from dataclasses import dataclass, field

FINAL = {"sold_out", "limit_exceeded", "code_expired", "sale_ended"}
UNANSWERED = {"crashed", "left"}
"""The service died in mid-flight; the client hung up."""


@dataclass(frozen=True)
class Granted:
    """A code, as its buyer has it; `nonce` is 32 hex digits."""

    text: str
    nonce: str
    item: int
    buyer: str
    expires_at: int
    purchase_id: str


@dataclass
class Call:
    """One call of a client. Times are Unix seconds by the runner's clock.

    `outcome` is ok, the stable word of a refusal or of a reason to try again, one of UNANSWERED, or
    `error: ...`, which a client would see as a 500.
    """

    kind: str
    """checkout, purchase or schedule"""
    buyer: str = ""
    item: int = 0
    nonce: str = ""
    outcome: str = ""
    purchase_id: str = ""
    began: float = 0.0
    ended: float = 0.0

    @property
    def group(self) -> str:
        """acked, refused (for good), unknown (worth sending again, or never answered), error."""
        if self.outcome == "ok":
            return "acked"
        if self.outcome.startswith("error"):
            return "error"
        return "refused" if self.outcome in FINAL else "unknown"


@dataclass(frozen=True)
class Row:
    """A purchase as the ledger has it."""

    nonce: str
    state: str
    item: int
    buyer: str
    purchase_id: str | None


@dataclass(frozen=True)
class View:
    """What Redis holds of a sale and what the ledger does, at one quiet moment: item to
    (state, nonce, buyer), and buyer to (held, sold)."""

    redis_claims: dict[int, tuple[str, str, str]]
    ledger_sold: dict[int, tuple[str, str, str]]
    redis_buyers: dict[str, tuple[int, int]]
    ledger_buyers: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Window:
    """A time in which something happened, Unix seconds."""

    since: float
    until: float

    def touches(self, call: Call) -> bool:
        return call.began <= self.until and call.ended >= self.since


@dataclass
class Evidence:
    """All that a run is judged by."""

    items: int
    quiet: bool
    attempts_mode: str
    calls: list[Call] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    attempts: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    """buyer, item, outcome"""
    attempt_nonces: set[str] = field(default_factory=set)
    attempts_left: int = 0
    """in the stream, or put aside, after settling"""
    redis_losses: list[Window] = field(default_factory=list)
    """what was written to Redis in these times may be gone"""
    ledger_troubles: list[Window] = field(default_factory=list)
    """when attempts may have gone to the stream"""
    unsettled: list[str] = field(default_factory=list)
    """what was still wrong when the world had had its time to settle"""
    unsold: list[int] = field(default_factory=list)
    """items that nobody could buy in the end"""
    endless_keys: list[str] = field(default_factory=list)
    degraded: int = 0
