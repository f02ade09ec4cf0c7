"""The end of a run: the world settles, everybody asks again, and everything left is bought."""

import asyncio
import time
from collections import Counter
from random import Random

from flashsale.inventory.script import sale_key

from tests.faults.schedule.buyers import Buyer
from tests.faults.schedule.gateway import Gateway
from tests.faults.schedule.history import Call, Row, View
from tests.faults.schedule.world import World

SETTLE_SECONDS_MAX = 10.0
_REPEATED_MAX = 60  # codes that are sent once more in the end
_BUYERS_LIMIT = 10
_CHECKOUTS_MAX = 40


async def settle(world: World) -> float:
    """Run the schedules until nothing is left to do, as a few minutes would; return the seconds.

    Either a gateway that was there does it or, as in Lambda, one that has seen nothing.
    """
    began = time.monotonic()
    if world.plan.settled_by_newcomer:
        world.gateways.append(await world.newcomer())
    keeper = world.gateways[-1]
    for gateway in (*world.gateways, *world.retired):
        await gateway.idle()
    while problems := await _unsettled(world, keeper):
        if time.monotonic() - began > SETTLE_SECONDS_MAX:
            world.evidence.unsettled += problems
            break
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def _unsettled(world: World, keeper: Gateway) -> list[str]:
    # Somebody looks at GET /stats, which brings back a sale that Redis has lost.
    stats = Call("schedule")
    await world.call(keeper, stats, keeper.service.sales.stock())
    if not await world.run_schedules(keeper):
        return [f"the schedules ended in {[call.outcome for call in world.evidence.calls[-2:]]}"]
    loaded = await world.gate.ask("HEXISTS", sale_key(world.sale.starts_at, "sale"), "loaded")
    pending = await world.gate.ask("ZCARD", sale_key(world.sale.starts_at, "pending"))
    waiting = await world.gate.ask("XLEN", sale_key(world.sale.starts_at, "attempts"))
    told = {
        "the sale is not loaded": not loaded,
        f"{pending} claims are still held": pending,
        f"{waiting} attempts still wait": waiting,
    }
    return [problem for problem, is_so in told.items() if is_so]


async def ask_again(world: World, buyers: list[Buyer]) -> None:
    """Send many of the codes again: what was final stays so, what was open is decided."""
    dice = Random(world.plan.seed)
    codes = [(buyer, code) for buyer in buyers for code in buyer.codes]
    dice.shuffle(codes)
    await asyncio.gather(*(buyer.insist(code) for buyer, code in codes[:_REPEATED_MAX]))


async def buy_the_rest(world: World) -> None:
    """Let fresh buyers have all that is left."""
    sold = {row.item for row in await asyncio.to_thread(_rows, world) if row.state == "sold"}
    left = [item for item in range(1, world.plan.items + 1) if item not in sold]
    parts = [left[first : first + _BUYERS_LIMIT] for first in range(0, len(left), _BUYERS_LIMIT)]
    buyers = [Buyer(world, 1_000 + number) for number in range(len(parts))]
    await asyncio.gather(
        *(
            _buy(world, buyer, item)
            for buyer, part in zip(buyers, parts, strict=True)
            for item in part
        )
    )


async def _buy(world: World, buyer: Buyer, item: int) -> None:
    for _ in range(_CHECKOUTS_MAX):
        outcome, code = await buyer.check_out(item)
        if code is not None:
            outcome = await buyer.insist(code)
        if outcome == "ok":
            return
        await asyncio.sleep(0.1)  # a breaker may be open still, and short codes expire
    world.evidence.unsold.append(item)


async def look(world: World) -> None:
    """Compare the stores."""
    for gateway in world.gateways:
        await gateway.idle()
    world.evidence.views.append(await asyncio.to_thread(_view, world))


def _view(world: World) -> View:
    starts_at = world.sale.starts_at
    with world.gate.client() as client:
        claims = client.hgetall(sale_key(starts_at, "claims"))
        counts = client.hgetall(sale_key(starts_at, "buyers"))
    claimed = {int(item): claim.decode().split(" ") for item, claim in claims.items()}
    held = {buyer.decode(): count.decode().split(" ") for buyer, count in counts.items()}
    sold = [row for row in _rows(world) if row.state == "sold"]
    bought = Counter(row.buyer for row in sold)
    return View(
        redis_claims={item: (state, nonce, who) for item, (state, nonce, who) in claimed.items()},
        ledger_sold={row.item: (row.state, row.nonce, row.buyer) for row in sold},
        redis_buyers={b: (int(h), int(s)) for b, (h, s) in held.items() if (h, s) != ("0", "0")},
        ledger_buyers={buyer: (0, count) for buyer, count in bought.items()},
    )


def _rows(world: World) -> list[Row]:
    found = world.ledgers.run(
        world.database, "select code_id::text, state, item, buyer, purchase_id from purchases"
    )
    return [Row(code.replace("-", ""), *rest) for code, *rest in found]


def collect(world: World) -> None:
    """Complete the evidence."""
    evidence = world.evidence
    evidence.rows = _rows(world)
    attempts = world.ledgers.run(
        world.database, "select code_id::text, buyer, item, outcome from attempts"
    )
    evidence.attempts = Counter((buyer, item, word) for _, buyer, item, word in attempts)
    evidence.attempt_nonces = {code.replace("-", "") for code, *_ in attempts}
    dead = world.ledgers.run(world.database, "select count(*) from dead_attempts")
    with world.gate.client() as client:
        waiting = client.xlen(sale_key(world.sale.starts_at, "attempts"))
        keys = [key for key in client.scan_iter() if client.ttl(key) == -1]
    evidence.attempts_left = int(waiting) + int(dead[0][0])
    evidence.endless_keys = [key.decode() for key in keys]
    evidence.degraded = world.degraded + sum(
        gateway.service.shop.degraded.total for gateway in world.gateways
    )
