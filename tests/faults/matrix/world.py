"""Two real stores, the processes that come and go before them, and what buyers were told."""

import asyncio
import dataclasses
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.codes import CheckoutCode, CodeSigner
from flashsale.config import Settings
from flashsale.errors import (
    CodeExpired,
    Fault,
    LimitExceeded,
    Refusal,
    SaleEnded,
    SoldOut,
    TryAgain,
    Unavailable,
)
from flashsale.inventory import Inventory
from flashsale.ledger import Ledger
from flashsale.model import Calendar, Sold

from tests.conftest import Rows
from tests.faults.matrix.backends import Backends
from tests.faults.matrix.weather import Weather

ITEMS = 14
FINAL = (SoldOut, LimitExceeded, CodeExpired, SaleEnded)
Answer = str | Refusal


@dataclass
class History:
    """What buyers were told, and what they may rely on."""

    purchases: list[tuple[CheckoutCode, Answer]] = field(default_factory=list)
    attempts: list[tuple[str, int]] = field(default_factory=list)
    """Buyer and item of each checkout that was answered."""

    def has_bought(self, code: CheckoutCode) -> bool:
        told = [answer for known, answer in self.purchases if known.nonce == code.nonce]
        return any(isinstance(answer, str) for answer in told)


class World:
    """The stores, emptied before every case. `query` runs SQL, `redis` is a client of the test."""

    def __init__(
        self, settings: Settings, query: Callable[..., Rows], client: "redis.Redis"
    ) -> None:
        self.settings, self.query, self.redis = settings, query, client
        self.signer = CodeSigner.parse(settings.code_keys)
        self.inventory, self.ledger = Inventory(settings), Ledger(settings)
        self._backends = Backends()
        self._living: list[Service] = []
        self._own: set[asyncio.Task[object]] = asyncio.all_tasks()
        self.history = History()
        now = int(time.time())
        self.starts_at = now // settings.sale_seconds * settings.sale_seconds
        self.weather = Weather(client, self.starts_at)

    # The stores

    async def begin(self) -> None:
        """Empty Redis, and take everything out of the ledger but the sale."""
        await self.vanish()
        self._own = asyncio.all_tasks()
        self.weather.clear()
        for table in ("purchases", "attempts", "dead_attempts"):
            self.query(f"delete from {table}")  # noqa: S608 - ours
        self.history = History()

    async def open(self) -> None:
        """Open the sale in both stores."""
        sale = Calendar(self.settings.sale_seconds, ITEMS).sale_starting(self.starts_at)
        if not self.query("select from sales"):
            await self.ledger.open_sale(sale)
        await self.inventory.open(sale)

    def close_sale(self) -> None:
        """The sale was never opened."""
        for table in ("items", "sales"):
            self.query(f"delete from {table}")  # noqa: S608 - ours

    async def close(self) -> None:
        await self.vanish()
        await self.inventory.close()
        await self.ledger.close()
        await self._backends.close()

    # Processes

    def process(self, *, attempts_mode: str = "ledger") -> Service:
        """A new process, which knows nothing."""
        settings = dataclasses.replace(self.settings, attempts_mode=attempts_mode)
        service = bootstrap.build(settings)
        self._living.append(service)
        self._backends.lend(service.ledger)
        return service

    async def end(self, service: Service) -> None:
        """Let a process finish what it does, and stop it."""
        await service.background.settled()
        self._living.remove(service)
        await self._backends.take_back(service.ledger)
        await service.close()

    async def vanish(self) -> None:
        """End every process in the middle of what it does, without a step more."""
        tasks = asyncio.all_tasks() - self._own - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for service in list(self._living):
            await self.end(service)

    # Buyers

    def code(self, buyer: str, item: int, *, starts_at: int | None = None) -> CheckoutCode:
        """A code in a buyer's hands."""
        starts_at = starts_at or self.starts_at
        expires_at = starts_at + self.settings.sale_seconds
        return self.signer.read(
            self.signer.mint(
                starts_at=starts_at,
                item=item,
                expires_at=expires_at,
                buyer=buyer,
                nonce=os.urandom(16),
            )
        )

    def expired(self, code: CheckoutCode) -> CheckoutCode:
        """The same code when its time is over: the same nonce, signed with an end gone by."""
        return dataclasses.replace(code, expires_at=int(time.time()) - 1)

    def text(self, code: CheckoutCode) -> str:
        return self.signer.mint(
            starts_at=code.starts_at,
            item=code.item,
            expires_at=code.expires_at,
            buyer=code.buyer,
            nonce=bytes.fromhex(code.nonce),
        )

    async def buy(self, service: Service, code: CheckoutCode) -> Answer:
        """Send a code once, and keep the answer."""
        try:
            answer: Answer = await service.shop.purchase(self.text(code))
        except Refusal as refusal:
            answer = refusal
        except Fault:
            answer = Unavailable()  # as the edge says it
        self.history.purchases.append((code, answer))
        return answer

    async def insist(self, service: Service, code: CheckoutCode) -> None:
        """Send a code until the answer is final, as a patient buyer does."""
        for _ in range(4):
            if not isinstance(await self.buy(service, code), TryAgain):
                return
            await service.background.settled()

    async def check_out(self, service: Service, buyer: str, item: int) -> CheckoutCode | None:
        try:
            session = await service.shop.checkout(buyer=buyer, item=item)
        except (TryAgain, Fault):
            return None
        except Refusal:
            self.history.attempts.append((buyer, item))
            return None
        self.history.attempts.append((buyer, item))
        return self.signer.read(session.code)

    def sell(self, code: CheckoutCode) -> Sold:
        """Write a sale into the ledger behind everybody's back: Redis has not heard of it."""
        self.query(
            "insert into purchases (code_id, state, sale, item, buyer, slot, purchase_id)"
            " select cast(:code as uuid), 'sold', to_timestamp(:sale), :item, :buyer,"
            " 1 + count(*), :id from purchases where buyer = :buyer",
            code=code.nonce,
            sale=code.starts_at,
            item=code.item,
            buyer=code.buyer,
            id=code.purchase_id,
        )
        return Sold(code.starts_at, code.item, code.nonce, code.buyer)
