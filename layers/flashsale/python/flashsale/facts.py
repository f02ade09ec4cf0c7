"""What can never change again, remembered: an item is sold, a buyer has ten of them.

After the first minute most checkouts are refused for one of these. Redis said so once, after the
ledger had written it down, and need not be asked again.
"""

# A sale's first and last moments are Redis's to judge: its clock may not be ours.
_EDGE_SECONDS = 2


class Facts:
    """The facts of one sale at a time, learned from Redis's and the ledger's answers."""

    def __init__(self, sale_seconds: int) -> None:
        self._sale_seconds = sale_seconds
        self._starts_at = 0
        self._sold: set[int] = set()
        self._at_limit: set[str] = set()

    def learn(self, starts_at: int, *, item: int, buyer: str, word: str) -> None:
        """Note why somebody was refused; `word` is one of checkout.lua's."""
        if word == "available" or starts_at < self._starts_at:
            return
        if starts_at > self._starts_at:
            self._starts_at = starts_at
            self._sold, self._at_limit = set(), set()
        if word == "sold_out":
            self._sold.add(item)
        elif word == "limit_exceeded":
            self._at_limit.add(buyer)

    def refusal(self, starts_at: int, *, item: int, buyer: str, now_ms: int) -> str | None:
        """The word that refuses a checkout for good; None if Redis has to be asked."""
        if starts_at != self._starts_at:
            return None
        since_start = now_ms / 1_000 - starts_at
        if not _EDGE_SECONDS <= since_start < self._sale_seconds - _EDGE_SECONDS:
            return None
        if buyer in self._at_limit:
            return "limit_exceeded"
        return "sold_out" if item in self._sold else None
