"""A whole sale, sold over HTTP to a crowd; then every promise of DESIGN.md's first section audited
in the ledger, against what the clients were told."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx
import pytest

from local.bench.address import Address
from local.bench.connection import Connection
from local.bench.response import Reply
from tests.contract.site import Site, Stores, eventually, running_site

BUYERS, CONNECTIONS = 1_000, 64
# A request to a function in a process of its own costs ten times as much.
ITEMS = {"local": 10_000, "lambda": 2_000}
DATABASE = "crowd"


class Line(Connection):
    """A kept connection, with one awaited request at a time."""

    def __init__(self, address: Address, told: "Told") -> None:
        super().__init__(address)
        self._told = told
        self._reply: asyncio.Future[Reply] | None = None

    async def ask(self, target: str) -> Reply:
        self._told.requests[f"POST {target.partition('?')[0]}"] += 1
        self._reply = asyncio.get_running_loop().create_future()
        self.send(self.address.request("POST", target))
        return await asyncio.wait_for(self._reply, 30)

    async def checkout(self, buyer: str, item: int) -> str:
        """Return the target of the purchase that follows."""
        reply = await self.ask(f"/checkout?user_id={buyer}&id={item}")
        assert reply.status == 200, reply.body
        return f"/purchase?code={quote(json.loads(reply.body)['checkout_code'], safe='')}"

    async def purchase(self, target: str) -> str | None:
        """Return the purchase's id, or None for sold out; nothing else is final."""
        while (reply := await self.ask(target)).status == 503:
            assert json.loads(reply.body)["error"] == "busy"
        assert reply.status == 200 or b"item sold out" in reply.body, reply.body
        found: str | None = json.loads(reply.body).get("purchase_id")
        return found

    def replied(self, reply: Reply) -> None:
        if self._reply is not None:
            self._reply.set_result(reply)

    def closed(self, fault: str) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(ConnectionError(fault))


@dataclass
class Told:
    """What the clients were told."""

    purchases: dict[int, tuple[str, str]] = field(default_factory=dict)  # item -> buyer, id
    requests: Counter[str] = field(default_factory=Counter)  # by route


@asynccontextmanager
async def connected(address: Address, told: Told) -> AsyncIterator[Line]:
    line = Line(address, told)
    await line.open()
    try:
        yield line
    finally:
        line.close()


async def buy(address: Address, orders: Iterator[tuple[int, int]], told: Told) -> None:
    """Checks out and purchases one item after another. Of twenty purchases one is sent twice at
    the same moment, one again after its answer, and one meets a rival for its item."""
    async with connected(address, told) as line:
        for turn, item in orders:
            buyer = f"crowd-{turn % BUYERS}"
            target = await line.checkout(buyer, item)
            if turn % 20 == 0:
                async with connected(address, told) as other:
                    bought, again = await asyncio.gather(
                        line.purchase(target), other.purchase(target)
                    )
                assert bought == again
            elif turn % 20 == 10:
                bought, again = await line.purchase(target), await line.purchase(target)
                assert bought == again
            elif turn % 20 == 5:
                rival = f"rival-{turn}"
                async with connected(address, told) as other:
                    theirs = await other.checkout(rival, item)
                    bought, lost = await asyncio.gather(
                        line.purchase(target), other.purchase(theirs)
                    )
                assert (bought is None) != (lost is None), "both bought, or neither"
                if bought is None:
                    buyer, bought = rival, lost
            else:
                bought = await line.purchase(target)
            assert bought is not None
            told.purchases[item] = buyer, bought


async def sell(address: Address, items: int) -> Told:
    """A whole sale, over 64 connections and some more for what is sent beside."""
    told = Told()
    orders = enumerate(random.sample(range(1, items + 1), items))
    async with asyncio.TaskGroup() as crowd:
        for _ in range(CONNECTIONS):
            crowd.create_task(buy(address, orders, told))
    return told


@pytest.fixture
def own_site(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service whose sale nobody else has bought from."""
    stores.sql(f"create database {DATABASE}")
    own = {**stores.environment(), "DB_NAME": DATABASE, "REDIS_DB": "1"}
    own["ITEMS_PER_SALE"] = str(ITEMS[Site.runtime])
    with running_site(tmp_path_factory.mktemp("crowd") / "gateway", own) as made:
        yield made


def test_a_crowd_buys_everything_and_every_promise_holds(own_site: Site, stores: Stores) -> None:
    items = own_site.settings.items_per_sale
    told = asyncio.run(sell(Address.parse(own_site.url), items))
    assert len(told.purchases) == items

    rows = stores.sql("select item, buyer, purchase_id, state from purchases", database=DATABASE)
    assert {state for *_, state in rows} == {"sold"}
    # a row for each 200 and no other, each item once, with the id that its buyer was told
    assert len(rows) == items
    assert {item: (buyer, purchase_id) for item, buyer, purchase_id, _ in rows} == told.purchases
    assert len({purchase_id for _, purchase_id in told.purchases.values()}) == items
    assert max(Counter(buyer for _, buyer, _, _ in rows).values()) <= 10

    attempted = stores.sql("select buyer, item, outcome from attempts", database=DATABASE)
    assert len(attempted) >= told.requests["POST /checkout"]
    granted = {(buyer, item) for buyer, item, outcome in attempted if outcome == "available"}
    assert granted >= {(buyer, item) for item, (buyer, _) in told.purchases.items()}

    def stats() -> tuple[str, str]:
        found = httpx.get(f"{own_site.url}/stats").json()["stats"]
        told.requests["GET /stats"] += 1
        return found["items_sold"], found["current_inventory"]

    eventually(lambda: stats() == (str(items), "0"))

    own_site.stop()
    lines = [
        line
        for line in own_site.log_lines()
        # Neither metrics, nor what every environment in Lambda warns of when it starts.
        if "_aws" not in line and not line["message"].startswith("AUTH is none")
    ]
    logged = [line for line in lines if line["message"] == "request"]
    assert Counter(line["route"] for line in logged) == told.requests
    outcomes = Counter((line["status"], line["outcome"]) for line in logged)
    assert outcomes.keys() <= {(200, "ok"), (409, "sold_out"), (503, "busy")}
    assert outcomes[409, "sold_out"] == items // 20
    others = [line for line in lines if line["message"] != "request"]
    assert {line["level"] for line in lines} == {"INFO"}, others
    assert own_site.output.read_text() == ""
