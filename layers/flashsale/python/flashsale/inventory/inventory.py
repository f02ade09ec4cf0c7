"""What a sale's state in Redis is asked and told, one batch of calls at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flashsale.batching import Batcher, Bounds
from flashsale.codes import CheckoutCode
from flashsale.config import Settings
from flashsale.errors import EntryRejected, Fault, StoreDown, StoreSilent
from flashsale.inventory.claims import Claims, read_claims
from flashsale.inventory.connection import Argument, Reply, ReplyError
from flashsale.inventory.pipeline import Pipeline
from flashsale.inventory.script import sale_key, script
from flashsale.inventory.stream import AttemptStream
from flashsale.model import BUYER_LIMIT, Sale, Sold


@dataclass(frozen=True, slots=True)
class Verdict:
    """A script's answer to one entry: a word of its header, and Redis's clock, Unix ms.

    Behind `rate_limited`, `limit` says which of the rate limits, counted from 1, and `wait_ms` for
    how long.
    """

    word: str
    at_ms: int
    limit: int = 0
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Checkout:
    """One buyer asks for one item of one sale. `nonce` names the attempt, `at_ms` is our clock,
    `buckets` are those of the rate limits."""

    starts_at: int
    buyer: str
    item: int
    nonce: str
    at_ms: int
    buckets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A code asks to hold its item; `buckets` are those of the rate limits."""

    code: CheckoutCode
    buckets: tuple[str, ...]

    @property
    def starts_at(self) -> int:
        return self.code.starts_at


# Redis refuses everybody, as when its memory or its disk is full, and not just these words.
_CONCERNS_ALL = frozenset(
    "BUSY CLUSTERDOWN MASTERDOWN MISCONF NOAUTH NOPERM NOREPLICAS OOM TRYAGAIN".split()
)

OfSale = TypeVar("OfSale", Checkout, Claim, Sold)
Answer = TypeVar("Answer")


class Inventory:
    """The gate. Every method raises `StoreDown` or `StoreSilent` when Redis fails."""

    def __init__(self, settings: Settings, rate_limits: str = "") -> None:
        """`rate_limits` are as in rates.lua; each checkout and claim names a bucket for each."""
        self._settings = settings
        self._rate_limits = rate_limits
        self.on_new_server: Callable[[], None] = lambda: None
        """Called when a connection finds another run of Redis than the one before it."""
        self.run_id = ""
        self._pipeline = Pipeline(settings, self._connected)
        self.breaker = self._pipeline.breaker
        self.attempts = AttemptStream(settings, self._pipeline)
        bounds = Bounds(size_max=settings.batch_max, waiting_max=settings.waiting_max)
        self._checkouts = Batcher(self._check_checkouts, **bounds)
        self._claims = Batcher(self._take_claims, **bounds)
        self._confirmations = Batcher(self._confirm_sold, **bounds)

    # What buyers ask

    async def checkout(self, asked: Checkout) -> Verdict:
        """Ask whether a buyer may try to buy an item; words as in checkout.lua. In stream mode the
        same call keeps the attempt."""
        return await self._checkouts.add(asked)

    async def claim(self, code: CheckoutCode, buckets: tuple[str, ...] = ()) -> Verdict:
        """Hold the code's item for its buyer until the ledger decides; words as in claim.lua.
        `buckets` are those of the rate limits."""
        return await self._claims.add(Claim(code, buckets))

    # What the ledger has decided

    async def confirm(self, sold: Sold) -> None:
        """Write down one sale; repeating it changes nothing."""
        await self._confirmations.add(sold)

    async def confirm_all(self, sold: Sequence[Sold]) -> None:
        """Write down many sales."""
        size = self._settings.batch_max
        for first in range(0, len(sold), size):
            for failed in await self._confirm_sold(sold[first : first + size]):
                if failed is not None:
                    raise failed

    async def release(self, starts_at: int, claims: Iterable[tuple[str, int]]) -> int:
        """Give back claims, as (nonce, item), whose codes never sell; return how many were held."""
        entries = [argument for claim in claims for argument in claim]
        return int(await self._call("release", starts_at, entries)) if entries else 0

    # The life of a sale

    async def open(self, sale: Sale) -> bool:
        """Declare a sale loaded. True if it was not."""
        opened = await self._call(
            "open",
            sale.starts_at,
            id=sale.id,
            starts_at=sale.starts_at,
            ends_at=sale.ends_at,
            total=sale.total,
            run_id=self.run_id,
            expire_at=self._expire_at(sale.starts_at),
        )
        return bool(opened)

    async def known_run(self, starts_at: int) -> str:
        """The run of Redis in which the sale was last made true to the ledger."""
        kept = await self._command("HGET", sale_key(starts_at, "sale"), "run_id")
        return kept.decode() if kept else ""

    async def note_run(self, starts_at: int) -> None:
        """Remember that the sale is true to the ledger in this run of Redis."""
        await self._command("HSET", sale_key(starts_at, "sale"), "run_id", self.run_id)

    async def overdue(self, starts_at: int, *, most: int) -> list[Sold]:
        """Claims whose lease is over, as the sales they would have become."""
        reply = await self._call("overdue", starts_at, most=most)
        return [
            Sold(starts_at, int(item), nonce.decode(), buyer.decode())
            for item, nonce, buyer in zip(reply[::3], reply[1::3], reply[2::3], strict=True)
        ]

    # What onlookers ask

    async def stock(self, starts_at: int) -> tuple[int | None, int]:
        """Return the items sold, None where Redis does not have the sale, and its clock in ms."""
        now_ms, loaded, sold = await self._call("stock", starts_at)
        return (sold if loaded else None), now_ms

    async def sold_among(self, starts_at: int, items: Sequence[int]) -> list[bool] | None:
        """Tell for each item whether it is sold; None where Redis does not have the sale."""
        loaded, held = await asyncio.gather(
            self._command("HEXISTS", sale_key(starts_at, "sale"), "loaded"),
            self._command("HMGET", sale_key(starts_at, "claims"), *items),
        )
        if not loaded:
            return None
        return [claim is not None and claim.startswith(b"sold") for claim in held]

    async def claims(self, starts_at: int) -> Claims:
        """Everything that Redis holds of a sale, for an audit."""
        (now_s, now_us), loaded, claims, counts, leases = await asyncio.gather(
            self._command("TIME"),
            self._command("HEXISTS", sale_key(starts_at, "sale"), "loaded"),
            self._command("HGETALL", sale_key(starts_at, "claims")),
            self._command("HGETALL", sale_key(starts_at, "buyers")),
            self._command("ZRANGE", sale_key(starts_at, "pending"), 0, -1, "WITHSCORES"),
        )
        return read_claims(
            starts_at,
            now_ms=int(now_s) * 1_000 + int(now_us) // 1_000,
            loaded=bool(loaded),
            claims=claims,
            counts=counts,
            leases=leases,
        )

    async def information(self) -> dict[str, str]:
        """Redis's own account of itself: the fields of INFO."""
        text = (await self._command("INFO")).decode()
        lines = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
        return {name: value for name, _, value in lines}

    async def close(self) -> None:
        """Finish what is under way, then disconnect."""
        for batcher in (self._checkouts, self._claims, self._confirmations):
            await batcher.settled()
        await self.attempts.settled()
        await self._pipeline.close()

    def _connected(self, run_id: str) -> None:
        known, self.run_id = self.run_id, run_id
        if known and run_id != known:
            self.on_new_server()

    # Batches

    async def _check_checkouts(self, asked: list[Checkout]) -> list[Verdict | Fault]:
        async def run(starts_at: int, entries: list[Checkout]) -> list[Verdict]:
            in_stream = self._settings.attempts_mode == "stream"
            reply = await self._call(
                "checkout",
                starts_at,
                [argument for one in entries for argument in _asked(one)],
                limit=BUYER_LIMIT,
                stream_max=self._settings.stream_max if in_stream else 0,
                attempts_expire_at=self.attempts.expire_at(starts_at),
                rate_limits=self._rate_limits,
            )
            return _verdicts(reply, entries)

        return await _by_sale(asked, run)

    async def _take_claims(self, claims: list[Claim]) -> list[Verdict | Fault]:
        async def run(starts_at: int, entries: list[Claim]) -> list[Verdict]:
            reply = await self._call(
                "claim",
                starts_at,
                [argument for claim in entries for argument in _claimed(claim)],
                limit=BUYER_LIMIT,
                lease_ms=self._settings.lease_ms,
                expire_at=self._expire_at(starts_at),
                rate_limits=self._rate_limits,
            )
            return _verdicts(reply, entries)

        return await _by_sale(claims, run)

    async def _confirm_sold(self, sold: Sequence[Sold]) -> list[Fault | None]:
        async def run(starts_at: int, entries: list[Sold]) -> list[None]:
            flat = [
                argument for fact in entries for argument in (fact.nonce, fact.buyer, fact.item)
            ]
            await self._call("confirm", starts_at, flat, expire_at=self._expire_at(starts_at))
            return [None] * len(entries)

        return await _by_sale(sold, run)

    async def _command(self, *command: Argument) -> Reply:
        try:
            return await self._pipeline.execute(*command)
        except ReplyError as fault:
            raise StoreDown(f"Redis refused {command[0]}: {fault}") from fault

    async def _call(
        self, name: str, starts_at: int, entries: Sequence[Argument] = (), /, **arguments: Argument
    ) -> Reply:
        try:
            return await script(name)(self._pipeline, starts_at, entries, **arguments)
        except ReplyError as fault:
            if fault.code in _CONCERNS_ALL:
                raise StoreDown(f"Redis can't serve: {fault}") from fault
            # Every script may run twice with the effect of once, so smaller batches may follow.
            raise EntryRejected(f"{name}.lua: {fault}") from fault

    def _expire_at(self, starts_at: int) -> int:
        return starts_at + self._settings.sale_seconds + self._settings.keep_seconds


def _verdicts(reply: Reply, entries: Sequence[object]) -> list[Verdict]:
    at_ms, *words = reply
    if len(words) < len(entries):  # one word for all: the sale itself is not there
        words = words * len(entries)
    return [_verdict(word.decode(), at_ms) for word in words]


def _verdict(word: str, at_ms: int) -> Verdict:
    if not word.startswith("rate_limited"):
        return Verdict(word, at_ms)
    word, limit, wait_ms = word.split()
    return Verdict(word, at_ms, int(limit), int(wait_ms))


def _asked(one: Checkout) -> tuple[Argument, ...]:
    return (one.nonce, one.buyer, one.item, one.at_ms, *one.buckets)


def _claimed(claim: Claim) -> tuple[Argument, ...]:
    code = claim.code
    return (code.nonce, code.buyer, code.item, code.expires_at, *claim.buckets)


async def _by_sale(
    entries: Sequence[OfSale], run: Callable[[int, list[OfSale]], Awaitable[list[Answer]]]
) -> list[Answer | Fault]:
    """Run a batch sale by sale, since a script sees one sale's keys; keep the answers' order. A
    store that fails between two sales fails the second one's entries alone."""
    places: dict[int, list[int]] = {}
    for place, entry in enumerate(entries):
        places.setdefault(entry.starts_at, []).append(place)
    answers: dict[int, Answer | Fault] = {}
    for starts_at, where in places.items():
        try:
            answered: Sequence[Answer | Fault] = await run(
                starts_at, [entries[place] for place in where]
            )
        except (StoreDown, StoreSilent) as fault:
            answered = [fault] * len(where)
        answers.update(zip(where, answered, strict=True))
    return [answers[place] for place in range(len(entries))]
