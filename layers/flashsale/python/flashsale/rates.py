"""Rate limits: how often one buyer, one source address, and everybody together may ask.

Token buckets, kept as the generic cell rate algorithm (ITU-T I.371) keeps them: of each bucket one
number, the time until which its tokens are spent. They are checked twice. Here, before anything is
asked, so that whoever floods one process costs it next to nothing; and by `rates.lua`, in the call
that a request makes anyway, for all processes together.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from flashsale.config import Settings
from flashsale.errors import RateLimited

# A bucket is one of so many of its kind: a flood of new names takes no more memory than this. Two
# buyers may share one by chance; nobody can choose with whom, since the hash is keyed.
_BUCKETS = 65_536
_REMEMBERED_MAX = 50_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` requests on average, `burst` of them at once."""

    kind: str
    per_second: int
    burst: int

    @property
    def interval_us(self) -> int:
        """What one request spends."""
        return 1_000_000 // self.per_second

    def refusal(self, wait_ms: int) -> RateLimited:
        """What is told to somebody who has to wait."""
        return RateLimited(self.kind, burst=self.burst, wait_ms=wait_ms)


class Rates:
    """The limits that are on. A request belongs to one bucket of each of them."""

    def __init__(
        self,
        settings: Settings,
        *,
        key: Callable[[], bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key`, secret and the same for all processes, deals names out to buckets; 64 bytes at
        most."""
        known = (
            Rate("buyer", settings.rate_buyer, settings.rate_buyer_burst),
            Rate("address", settings.rate_address, settings.rate_address_burst),
            Rate("all", settings.rate_all, settings.rate_all_burst),
        )
        self.active = tuple(rate for rate in known if rate.per_second)
        self._steps = [
            (rate.interval_us, rate.interval_us * (rate.burst - 1)) for rate in self.active
        ]
        self._key = key
        self._clock = clock
        self._spent: dict[str, float] = {}

    def as_argument(self) -> str:
        """The limits as the scripts take them: `interval_us burst` for each."""
        return " ".join(f"{rate.interval_us} {rate.burst}" for rate in self.active)

    def buckets(self, action: str, *, buyer: str, address: str) -> tuple[str, ...]:
        """Name a request's buckets, one for each limit. A buyer has one for each action."""
        found: list[str] = []
        for rate in self.active:
            if rate.kind == "buyer":
                found.append(self._bucket("b", f"{action} {buyer}"))
            else:
                found.append("all" if rate.kind == "all" else self._bucket("a", address))
        return tuple(found)

    def admit(self, buckets: tuple[str, ...]) -> None:
        """Let a request pass this process, and count it.

        Raises:
            RateLimited: one of its buckets is empty; nothing is counted.
        """
        now, spent = self._clock() * 1_000_000, self._spent
        counted: list[float] = []
        for (interval_us, slack_us), bucket in zip(self._steps, buckets, strict=True):
            until = spent.get(bucket, 0.0)
            if until < now:
                until = now
            elif until - slack_us > now:
                wait_us = until - slack_us - now
                raise self.active[len(counted)].refusal(int(wait_us // 1_000) + 1)
            counted.append(until + interval_us)
        spent.update(zip(buckets, counted, strict=True))
        if len(spent) > _REMEMBERED_MAX:
            self._spent = {name: until for name, until in spent.items() if until > now}

    def _bucket(self, kind: str, name: str) -> str:
        digest = hashlib.blake2b(name.encode(), digest_size=2, key=self._key()).digest()
        return f"{kind}{int.from_bytes(digest)}"
