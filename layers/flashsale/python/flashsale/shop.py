"""What a buyer can do: check out an item, and buy it."""

import asyncio
import dataclasses
import random
from dataclasses import dataclass

from flashsale.attempts import Attempts
from flashsale.background import Background
from flashsale.codes import CheckoutCode, new_nonce
from flashsale.config import Settings
from flashsale.degraded import Degraded
from flashsale.errors import (
    Busy,
    CodeExpired,
    Fault,
    Forbidden,
    LimitExceeded,
    OutcomeUnknown,
    Overloaded,
    Refusal,
    SaleEnded,
    SaleNotReady,
    SoldOut,
    StoreDown,
    StoreSilent,
    Unauthorized,
    Unavailable,
    UnknownItem,
)
from flashsale.facts import Facts
from flashsale.inventory import Checkout, Inventory, Verdict
from flashsale.keyring import Keyring
from flashsale.ledger import Decision, Ledger
from flashsale.logs import logger
from flashsale.metrics import metrics
from flashsale.model import Attempt, Caller, Sold
from flashsale.rates import Rates
from flashsale.sales import Sales

# How long a purchase waits for somebody's unconfirmed claim before it says "busy", in all half a
# second: a claim is usually decided within one commit.
_BUSY_PAUSES_SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.2)

NOBODY = Caller()

_REFUSALS: dict[str, type[Refusal]] = {
    "sold_out": SoldOut,
    "limit_exceeded": LimitExceeded,
    "code_expired": CodeExpired,
    "sale_ended": SaleEnded,
    # the ledger's words for the same
    "item_taken": SoldOut,
    "limit": LimitExceeded,
    "void": CodeExpired,
}


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """A granted checkout; `expires_at` is in Unix seconds."""

    code: str
    expires_at: int


class Shop:
    """Sells. Redis gates the crowd, the ledger decides, and either may be away for a while."""

    def __init__(
        self,
        settings: Settings,
        *,
        keyring: Keyring,
        inventory: Inventory,
        ledger: Ledger,
        attempts: Attempts,
        sales: Sales,
        background: Background,
        rates: Rates,
    ) -> None:
        self._settings = settings
        self._keyring = keyring
        self._inventory = inventory
        self._ledger = ledger
        self._attempts = attempts
        self._sales = sales
        self._background = background
        self._rates = rates
        self._facts = Facts(settings.sale_seconds)
        self.degraded = Degraded(settings.degraded_max)

    async def checkout(self, *, buyer: str, item: int, caller: Caller = NOBODY) -> CheckoutSession:
        """Give a buyer a code for an item; every attempt is kept, granted or not.

        Raises:
            UnknownItem: there is no such item in a sale.
            Unauthorized, Forbidden: the caller is not the buyer.
            RateLimited: the buyer or the caller asks too often; this was no attempt.
            SoldOut, LimitExceeded: for good.
            TryAgain: nothing was granted; the request may be sent again.
        """
        if not 1 <= item <= self._settings.items_per_sale:
            raise UnknownItem
        self._require(buyer, caller)
        buckets = self._rates.buckets("checkout", buyer=buyer, address=caller.address)
        self._rates.admit(buckets)
        starts_at = self._sales.current().starts_at
        asked = Checkout(
            starts_at=starts_at,
            buyer=buyer,
            item=item,
            nonce=new_nonce(starts_at),
            at_ms=self._sales.now_ms(),
            buckets=buckets,
        )
        in_stream = self._settings.attempts_mode == "stream"
        verdict = None if in_stream else self._known(asked)
        kept = False
        if verdict is None:
            try:
                asked, verdict = await self._ask(asked)
                kept = in_stream
            except (StoreDown, StoreSilent) as fault:
                with self.degraded.one():
                    verdict = await self._ask_ledger(asked, fault)
            self._facts.learn(
                asked.starts_at, item=asked.item, buyer=asked.buyer, word=verdict.word
            )
        if not kept:
            await self._attempts.record(_attempt(asked, verdict.word))
        if verdict.word != "available":
            raise _REFUSALS[verdict.word]
        return self._session(asked, verdict.at_ms // 1_000)

    def _require(self, buyer: str, caller: Caller) -> None:
        """Nobody buys in another's name, where names are checked."""
        if self._settings.auth == "none":
            return
        if caller.subject is None:
            raise Unauthorized
        if caller.subject != buyer:
            raise Forbidden

    def _known(self, asked: Checkout) -> Verdict | None:
        """The refusal that Redis would give, where nothing can change it any more."""
        word = self._facts.refusal(
            asked.starts_at, item=asked.item, buyer=asked.buyer, now_ms=asked.at_ms
        )
        return Verdict(word, asked.at_ms) if word else None

    async def _ask(self, asked: Checkout) -> tuple[Checkout, Verdict]:
        """Ask the gate about the sale that is on, by Redis's clock."""
        for _ in range(4):  # two sales may have to be opened: ours, and then Redis's
            verdict = await self._inventory.checkout(asked)
            if verdict.word == "rate_limited":
                raise self._rates.active[verdict.limit - 1].refusal(verdict.wait_ms)
            if verdict.word == "stream_full":
                raise Overloaded
            if verdict.word == "not_loaded":
                await self._sales.open(self._sales.calendar.sale_starting(asked.starts_at))
            elif verdict.word in ("not_open", "sale_ended"):  # our clock is not Redis's
                sale = self._sales.calendar.sale_at(verdict.at_ms / 1_000)
                asked = dataclasses.replace(asked, starts_at=sale.starts_at)
            else:
                return asked, verdict
        raise SaleNotReady

    async def _ask_ledger(self, asked: Checkout, fault: Exception) -> Verdict:
        """Ask the ledger while Redis is away: it knows facts, which is all that may refuse."""
        logger().warning("checkout without Redis", extra={"fault": str(fault)})
        await self._sales.open_in_ledger(self._sales.calendar.sale_starting(asked.starts_at))
        would_be = Sold(asked.starts_at, asked.item, asked.nonce, asked.buyer)
        found = await self._ledger.look_up(would_be)
        words = {"open": "available", "item_taken": "sold_out", "limit": "limit_exceeded"}
        return Verdict(words[found.word], asked.at_ms)

    def _session(self, asked: Checkout, now: int) -> CheckoutSession:
        """Sign a code that ends with its sale, or before."""
        expires_at = min(
            now + self._settings.code_seconds, asked.starts_at + self._settings.sale_seconds
        )
        code = self._keyring.signer.mint(
            starts_at=asked.starts_at,
            item=asked.item,
            expires_at=expires_at,
            buyer=asked.buyer,
            nonce=bytes.fromhex(asked.nonce),
        )
        return CheckoutSession(code, expires_at)

    async def purchase(self, text: str, caller: Caller = NOBODY) -> str:
        """Turn a code into a purchase and return its id: the same one however often it is sent.

        Raises:
            InvalidCode: the code is not one of ours.
            Unauthorized, Forbidden: the caller is not the code's buyer.
            RateLimited: the buyer or the caller asks too often.
            SoldOut, LimitExceeded, CodeExpired, SaleEnded: this code never sells.
            TryAgain: nothing final; the same code may be sent again.
        """
        code = await self._keyring.read(text)
        self._require(code.buyer, caller)
        buckets = self._rates.buckets("purchase", buyer=code.buyer, address=caller.address)
        self._rates.admit(buckets)
        if self._ledger.breaker.state == "open":
            raise Unavailable  # before claiming anything: nobody could decide it
        for pause in (*_BUSY_PAUSES_SECONDS, None):
            try:
                word = await self._claim(code, buckets)
            except (StoreDown, StoreSilent) as fault:
                with self.degraded.one():
                    return await self._purchase_without_redis(code, fault)
            if word == "sold":
                return code.purchase_id
            if word == "claimed":
                return await self._decide(code)
            if word in ("sold_out", "limit_exceeded"):
                raise _REFUSALS[word]
            if word in ("code_expired", "sale_ended"):
                return await self._refuse_for_good(code, _REFUSALS[word])
            if word == "overdue":
                await self._sales.reconcile()  # whoever held it has crashed: give it back now
                continue
            # Somebody's unconfirmed claim is in the way, which is no reason to refuse.
            found = await self._ledger.look_up(code)
            if found.word != "open":
                return await self._conclude(code, found)
            if pause is not None:
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        # Perhaps the buyer's own claims of a crashed worker: the next try finds them given back.
        self._background.start(self._sales.reconcile(), what="reconcile")
        raise Busy

    async def _purchase_without_redis(self, code: CheckoutCode, fault: Exception) -> str:
        """Let the ledger decide alone, which is right, while Redis is away; our clock judges."""
        logger().warning("purchase without Redis", extra={"fault": str(fault)})
        now = self._sales.now_ms() // 1_000
        if now < code.starts_at:
            raise SaleNotReady
        if now >= code.starts_at + self._settings.sale_seconds:
            return await self._refuse_for_good(code, SaleEnded)
        if now >= code.expires_at:
            return await self._refuse_for_good(code, CodeExpired)
        return await self._decide(code)

    async def _claim(self, code: CheckoutCode, buckets: tuple[str, ...]) -> str:
        """Hold the item for the code; opens the code's sale where Redis has lost it."""
        for _ in range(3):
            verdict = await self._inventory.claim(code, buckets)
            if verdict.word == "rate_limited":
                raise self._rates.active[verdict.limit - 1].refusal(verdict.wait_ms)
            if verdict.word == "not_open":
                raise SaleNotReady
            if verdict.word != "not_loaded":
                return verdict.word
            now = verdict.at_ms // 1_000
            if now >= code.starts_at + self._settings.sale_seconds:
                return "sale_ended"  # so long ago that Redis was told to forget it
            if now >= code.expires_at:
                return "code_expired"
            await self._sales.open(self._sales.calendar.sale_starting(code.starts_at))
        raise SaleNotReady

    async def _decide(self, code: CheckoutCode) -> str:
        try:
            decision = await self._ledger.purchase(code)
        except StoreSilent as fault:
            logger().warning("purchase undecided", extra={"fault": str(fault)})
            metrics().count("OutcomesUnknown")
            raise OutcomeUnknown from fault  # the claim stays: a retry or reconcile finds out
        except Overloaded:
            self._release(code)
            raise
        except Fault as fault:
            self._release(code)
            logger().warning("purchase undone", extra={"fault": str(fault)})
            raise Unavailable from fault
        return await self._conclude(code, decision)

    async def _conclude(self, code: CheckoutCode, decision: Decision) -> str:
        """Tell what the ledger decided, and teach it to Redis behind the reply."""
        if decision.word == "sold":
            self._confirm(code)
            return code.purchase_id
        refusal = _REFUSALS.get(decision.word)
        if refusal is None:  # too many buyers of one name at once: undecided, and still claimed
            raise Busy
        self._release(code)
        if decision.winner is not None:
            self._background.start(self._inventory.confirm(decision.winner), what="winner")
        if refusal is LimitExceeded:
            self._background.start(self._teach_limit(code), what="limit")
        raise refusal

    async def _refuse_for_good(self, code: CheckoutCode, refusal: type[Refusal]) -> str:
        """Refuse a code that comes too late, unless it had sold: an insert of it may be under way,
        so it is fenced off before anything final is said."""
        if await self._ledger.fence(code):
            self._confirm(code)
            return code.purchase_id
        raise refusal

    def _confirm(self, code: CheckoutCode) -> None:
        sold = Sold(code.starts_at, code.item, code.nonce, code.buyer)
        self._background.start(self._inventory.confirm(sold), what="confirm")

    def _release(self, code: CheckoutCode) -> None:
        claims = [(code.nonce, code.item)]
        self._background.start(self._inventory.release(code.starts_at, claims), what="release")

    async def _teach_limit(self, code: CheckoutCode) -> None:
        bought = await self._ledger.sold_to_buyer(code.starts_at, code.buyer)
        await self._inventory.confirm_all(bought)


def _attempt(asked: Checkout, outcome: str) -> Attempt:
    return Attempt(
        at_ms=asked.at_ms,
        nonce=asked.nonce,
        starts_at=asked.starts_at,
        buyer=asked.buyer,
        item=asked.item,
        outcome=outcome,
    )
