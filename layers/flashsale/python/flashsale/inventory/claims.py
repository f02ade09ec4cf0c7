"""A sale's claims as they lie in Redis, read back into the words of the model."""

from collections.abc import Sequence
from dataclasses import dataclass

from flashsale.model import Sold


@dataclass(frozen=True, slots=True)
class Claims:
    """All that Redis holds of a sale. `held` are sales that may come to be; `counts` are each
    buyer's items held and sold; `leases` end at Unix ms of Redis's clock, which said `now_ms`."""

    now_ms: int
    loaded: bool
    held: dict[int, Sold]
    sold: dict[int, Sold]
    counts: dict[str, tuple[int, int]]
    leases: dict[int, int]


def read_claims(
    starts_at: int,
    *,
    now_ms: int,
    loaded: bool,
    claims: Sequence[bytes],
    counts: Sequence[bytes],
    leases: Sequence[bytes],
) -> Claims:
    """Read the flat replies of HGETALL, HGETALL and ZRANGE WITHSCORES."""
    held: dict[int, Sold] = {}
    sold: dict[int, Sold] = {}
    for item, claim in zip(claims[::2], claims[1::2], strict=True):
        state, nonce, buyer = claim.decode().split(" ", 2)
        kind = sold if state == "sold" else held
        kind[int(item)] = Sold(starts_at, int(item), nonce, buyer)
    pairs = {
        buyer.decode(): (int(count.split()[0]), int(count.split()[1]))
        for buyer, count in zip(counts[::2], counts[1::2], strict=True)
    }
    ends = {int(item): int(float(end)) for item, end in zip(leases[::2], leases[1::2], strict=True)}
    return Claims(now_ms, loaded, held, sold, pairs, ends)
