"""Judges a history: each promise is a function that yields what contradicts it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.schedule.history import FINAL, Call, Evidence, Window

ANSWER_SECONDS_MAX = 10.0
LIMIT = 10
_SHOWN = 4


@dataclass(frozen=True)
class Violation:
    kind: str
    detail: str


Promise = Callable[[Evidence], Iterator[str]]


def judge(evidence: Evidence) -> list[Violation]:
    """Everything in a history that should not be there."""
    return [
        Violation(kind, detail)
        for kind, promise in PROMISES.items()
        for detail in promise(evidence)
    ]


def _acked_and_lost(evidence: Evidence) -> Iterator[str]:
    rows = {row.nonce: row for row in evidence.rows if row.state == "sold"}
    for call in _acked(evidence):
        row = rows.get(call.nonce)
        found = row and (row.item, row.buyer, row.purchase_id)
        if found != (call.item, call.buyer, call.purchase_id):
            yield f"{call.purchase_id} of item {call.item} was acknowledged; the ledger has {found}"


def _told_no_but_sold(evidence: Evidence) -> Iterator[str]:
    sold = {row.nonce for row in evidence.rows if row.state == "sold"}
    sold |= {call.nonce for call in _acked(evidence)}
    for call in _purchases(evidence):
        if call.outcome in FINAL and call.nonce in sold:
            yield f"code {call.nonce} for item {call.item} was told {call.outcome}, and sold"


def _sold_twice(evidence: Evidence) -> Iterator[str]:
    codes = defaultdict(set)
    for call in _acked(evidence):
        codes[call.item].add(call.nonce)
    for row in evidence.rows:
        if row.state == "sold":
            codes[row.item].add(row.nonce)
    for item, nonces in codes.items():
        if len(nonces) > 1:
            yield f"item {item} was sold to {len(nonces)} codes"


def _over_ten(evidence: Evidence) -> Iterator[str]:
    bought = defaultdict(set)
    for call in _acked(evidence):
        bought[call.buyer].add(call.nonce)
    for row in evidence.rows:
        if row.state == "sold":
            bought[row.buyer].add(row.nonce)
    for buyer, nonces in bought.items():
        if len(nonces) > LIMIT:
            yield f"{buyer} bought {len(nonces)}"


def _two_ids_for_one_code(evidence: Evidence) -> Iterator[str]:
    told = defaultdict(set)
    for call in _acked(evidence):
        told[call.nonce].add(call.purchase_id)
    for nonce, ids in told.items():
        if len(ids) > 1:
            yield f"code {nonce} was given {sorted(ids)}"


def _undersold(evidence: Evidence) -> Iterator[str]:
    if evidence.unsold:
        yield f"in the end nobody could buy the items {evidence.unsold}"
    sold = sum(row.state == "sold" for row in evidence.rows)
    if sold != evidence.items:
        yield f"{sold} of {evidence.items} items were sold in the end"


def _views_differ(evidence: Evidence) -> Iterator[str]:
    for moment, view in enumerate(evidence.views, start=1):
        pairs = (view.redis_claims.items(), view.ledger_sold.items())
        buyers = (view.redis_buyers.items(), view.ledger_buyers.items())
        for name, (redis, ledger) in {"item": pairs, "buyer": buyers}.items():
            if redis != ledger:
                yield (
                    f"look {moment}: {name}s in Redis only {_some(redis - ledger)},"
                    f" in the ledger only {_some(ledger - redis)}"
                )


def _refused_without_reason(evidence: Evidence) -> Iterator[str]:
    """A final refusal names a fact, which the ledger must know, too."""
    takers: dict[int, set[str]] = defaultdict(set)
    sold_to: Counter[str] = Counter()
    void = {row.nonce for row in evidence.rows if row.state == "void"}
    for row in evidence.rows:
        if row.state == "sold":
            takers[row.item].add(row.nonce)
            sold_to[row.buyer] += 1
    for call in evidence.calls:
        right = {
            "sold_out": bool(takers[call.item] - {call.nonce}),
            "limit_exceeded": sold_to[call.buyer] >= LIMIT,
            "code_expired": call.nonce in void,
            "sale_ended": False,  # no run lasts so long
        }
        if not right.get(call.outcome, True):
            yield f"{call.kind} of item {call.item} by {call.buyer} was told {call.outcome}"


def _attempts_lost(evidence: Evidence) -> Iterator[str]:
    """A granted attempt is known by its code; a refused one is counted."""
    refused: Counter[tuple[str, int, str]] = Counter()
    for call in evidence.calls:
        if call.kind != "checkout" or call.group not in ("acked", "refused"):
            continue
        if _may_be_lost(call, evidence):
            continue
        if call.outcome != "ok":
            refused[call.buyer, call.item, call.outcome] += 1
        elif call.nonce not in evidence.attempt_nonces:
            yield f"of {call.buyer} for item {call.item}, granted"
    for attempt, count in (refused - evidence.attempts).items():
        yield f"{count} of {attempt}"
    if evidence.attempts_left:
        yield f"{evidence.attempts_left} wait still, or were put aside"


def _may_be_lost(call: Call, evidence: Evidence) -> bool:
    """Whether the attempt may have been in Redis alone when Redis lost it."""

    def hit(windows: list[Window]) -> bool:
        return any(window.touches(call) for window in windows)

    in_stream = evidence.attempts_mode == "stream" or hit(evidence.ledger_troubles)
    return in_stream and hit(evidence.redis_losses)


def _degraded_without_fault(evidence: Evidence) -> Iterator[str]:
    if evidence.quiet and evidence.degraded:
        yield f"{evidence.degraded} calls were answered without Redis"


def _not_settled(evidence: Evidence) -> Iterator[str]:
    yield from evidence.unsettled
    if evidence.endless_keys:
        yield f"keys without a TTL: {evidence.endless_keys}"


def _no_answer(evidence: Evidence) -> Iterator[str]:
    for call in evidence.calls:
        if call.group == "error":
            yield f"{call.kind} ended in {call.outcome}"
        elif call.ended - call.began > ANSWER_SECONDS_MAX:
            yield f"{call.kind} took {call.ended - call.began:.1f} s"


def _some(pairs: set[tuple[Any, Any]]) -> str:
    """The first few, and how many there are."""
    return f"{len(pairs)} {dict(sorted(pairs)[:_SHOWN])}" if pairs else "none"


def _purchases(evidence: Evidence) -> Iterator[Call]:
    return (call for call in evidence.calls if call.kind == "purchase")


def _acked(evidence: Evidence) -> Iterator[Call]:
    return (call for call in _purchases(evidence) if call.outcome == "ok")


PROMISES: dict[str, Promise] = {
    "acknowledged and lost": _acked_and_lost,
    "told no for good but sold": _told_no_but_sold,
    "sold twice": _sold_twice,
    "over ten": _over_ten,
    "two ids for one code": _two_ids_for_one_code,
    "undersold": _undersold,
    "Redis differs from the ledger": _views_differ,
    "refused without reason": _refused_without_reason,
    "attempt lost": _attempts_lost,
    "degraded without a fault": _degraded_without_fault,
    "not settled": _not_settled,
    "error or no answer": _no_answer,
}
