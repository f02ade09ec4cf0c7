"""What the tests of the layer share: codes, the scripts of one sale, and stores that are away."""

import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest
import redis
from flashsale.bootstrap import Service
from flashsale.codes import CheckoutCode, CodeSigner
from flashsale.config import Settings
from flashsale.inventory.connection import Argument, Reply
from flashsale.inventory.pipeline import Pipeline
from flashsale.inventory.script import sale_key, script
from flashsale.ledger import Ledger

from local.stores import Valkey
from tests.conftest import CODE_KEYS

LIMIT = 10
STARTS_AT = 1_640_995_200
SIGNER = CodeSigner.parse(CODE_KEYS)


def nonce(number: int) -> str:
    return f"{number:032x}"


def code(number: int, *, item: int, buyer: str = "ann", starts_at: int = STARTS_AT) -> CheckoutCode:
    """A code as the stores see it: its signature was checked before."""
    return CheckoutCode(
        starts_at=starts_at,
        item=item,
        expires_at=starts_at + 900,
        nonce=nonce(number),
        buyer=buyer,
        purchase_id=f"purchase_{number:016x}",
    )


class Gate:
    """One sale's state in Valkey. It began 100 s ago and ends in an hour, by Valkey's clock."""

    def __init__(self, pipeline: Pipeline, client: "redis.Redis") -> None:
        self._pipeline = pipeline
        self._client = client
        self.now: int = client.time()[0]
        self.starts_at = self.now - 100
        self.expire_at = self.now + 7_200

    async def call(self, name: str, /, *entries: Argument, **arguments: Argument) -> Reply:
        return await script(name)(self._pipeline, self.starts_at, entries, **arguments)

    async def open(self, *, starts_in: int = -100, ends_in: int = 3_600) -> int:
        return int(
            await self.call(
                "open",
                id="sale_x",
                starts_at=self.now + starts_in,
                ends_at=self.now + ends_in,
                total=10_000,
                run_id="run",
                expire_at=self.expire_at,
            )
        )

    async def checkout(
        self,
        *entries: tuple[str, int],
        stream_max: int = 0,
        rate_limits: str = "",
        buckets: Callable[[str], tuple[str, ...]] = lambda buyer: (),
    ) -> list[str]:
        flat: list[Argument] = []
        for number, (buyer, item) in enumerate(entries):
            flat += [nonce(number), buyer, item, self.now * 1_000 + number, *buckets(buyer)]
        reply = await self.call(
            "checkout",
            *flat,
            limit=LIMIT,
            stream_max=stream_max,
            attempts_expire_at=self.expire_at,
            rate_limits=rate_limits,
        )
        return words(reply)

    async def append(self, *entries: tuple[int, str, int, str], stream_max: int = 1_000) -> int:
        flat: list[Argument] = []
        for number, buyer, item, outcome in entries:
            flat += [nonce(number), buyer, item, outcome, self.now * 1_000 + number]
        kept = await self.call(
            "append", *flat, stream_max=stream_max, attempts_expire_at=self.expire_at
        )
        return int(kept)

    async def claim(
        self,
        *entries: tuple[int, str, int],
        lease_ms: int = 60_000,
        expires_in: int = 900,
        rate_limits: str = "",
        buckets: Callable[[str], tuple[str, ...]] = lambda buyer: (),
    ) -> list[str]:
        flat: list[Argument] = []
        for number, buyer, item in entries:
            flat += [nonce(number), buyer, item, self.now + expires_in, *buckets(buyer)]
        reply = await self.call(
            "claim",
            *flat,
            limit=LIMIT,
            lease_ms=lease_ms,
            expire_at=self.expire_at,
            rate_limits=rate_limits,
        )
        return words(reply)

    async def confirm(self, *entries: tuple[int, str, int]) -> int:
        flat: list[Argument] = []
        for number, buyer, item in entries:
            flat += [nonce(number), buyer, item]
        return int(await self.call("confirm", *flat, expire_at=self.expire_at))

    async def release(self, *entries: tuple[int, int]) -> int:
        flat: list[Argument] = []
        for number, item in entries:
            flat += [nonce(number), item]
        return int(await self.call("release", *flat))

    async def sold(self) -> int:
        _, _, sold = await self.call("stock")
        return int(sold)

    def counts(self, buyer: str) -> str:
        """The buyer's items held and sold, as in `2 1`."""
        counts: Any = self._client.hget(self.key("buyers"), buyer)
        return counts.decode() if counts else "0 0"

    def state(self) -> dict[str, Any]:
        """Everything that the sale's keys hold."""
        return {
            "sale": self._client.hgetall(self.key("sale")),
            "claims": self._client.hgetall(self.key("claims")),
            "buyers": self._client.hgetall(self.key("buyers")),
            "pending": self._client.zrange(self.key("pending"), 0, -1, withscores=True),
            "attempts": self._client.xrange(self.key("attempts")),
        }

    def key(self, name: str) -> str:
        return sale_key(self.starts_at, name)


def words(reply: Iterable[Any]) -> list[str]:
    """A script's words, without the clock that comes first."""
    _, *told = reply
    return [word.decode() for word in told]


@pytest.fixture
def redis_settings(valkey: Valkey, redis_client: "redis.Redis") -> Settings:
    """Settings for what needs no PostgreSQL."""
    return Settings(redis_addr=valkey.address, redis_password=valkey.password)


@pytest.fixture
async def pipeline(redis_settings: Settings) -> AsyncIterator[Pipeline]:
    made = Pipeline(redis_settings)
    yield made
    await made.close()


@pytest.fixture
def gate(pipeline: Pipeline, redis_client: "redis.Redis") -> Gate:
    return Gate(pipeline, redis_client)


@pytest.fixture
def lapse(service: Service, redis_client: "redis.Redis") -> Callable[..., None]:
    """End the leases of items, as time would."""

    def lapse(*items: int) -> None:
        pending = sale_key(service.sales.current().starts_at, "pending")
        changed = redis_client.zadd(pending, {str(item): 1 for item in items}, xx=True, ch=True)
        assert changed == len(items)

    return lapse


async def abandoned(service: Service, buyer: str, item: int) -> tuple[str, CheckoutCode]:
    """A code that was claimed by a worker that died before it asked the ledger."""
    text = (await service.shop.checkout(buyer=buyer, item=item)).code
    code = SIGNER.read(text)
    assert (await service.inventory.claim(code)).word == "claimed"
    return text, code


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    made = Ledger(settings)
    yield made
    await made.close()


@pytest.fixture
def handshakes_fail() -> Iterator[None]:
    """pg8000 leaves the socket of a connection it could not make to the garbage collector: a test
    that provokes it ignores that warning, and collects before the next test begins."""
    yield
    gc.collect()


@pytest.fixture
def deserted_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def deserted(deserted_port: int) -> Settings:
    """Settings of a service whose stores are both away."""
    return Settings(
        redis_addr=f"127.0.0.1:{deserted_port}", db_port=deserted_port, code_keys=CODE_KEYS
    )
