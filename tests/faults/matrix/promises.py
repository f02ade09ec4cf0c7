"""What must hold in the end, whatever happened: DESIGN.md section 1, counted in the stores."""

from collections import Counter
from typing import Any

from flashsale.errors import LimitExceeded, SoldOut
from flashsale.inventory.script import sale_key

from tests.faults.matrix.world import FINAL, World


def check(world: World) -> None:
    """Hold the stores against what buyers were told."""
    rows = world.query(
        "select replace(code_id::text, '-', ''), state, item, buyer, purchase_id from purchases"
    )
    sold = [row for row in rows if row[1] == "sold"]
    told: dict[str, set[str]] = {}
    for code, answer in world.history.purchases:
        mine = [row for row in sold if row[0] == code.nonce]
        if isinstance(answer, str):
            told.setdefault(code.nonce, set()).add(answer)
            assert [row[4] for row in mine] == [answer], "acknowledged, and not sold once"
        elif isinstance(answer, FINAL):
            assert not mine, f"told {answer.reason!r}, and sold"
    assert all(len(ids) == 1 for ids in told.values()), f"one code, several ids: {told}"
    items, buyers = Counter(row[2] for row in sold), Counter(row[3] for row in sold)
    assert max(items.values(), default=0) <= 1, "an item sold twice"
    assert max(buyers.values(), default=0) <= 10, "more than ten for one buyer"
    _check_redis(world, {row[2]: f"sold {row[0]} {row[3]}" for row in sold}, buyers)


def check_reasons(world: World) -> None:
    """Nobody is refused on a suspicion: who was told so far is right already."""
    sold = world.query("select item, buyer from purchases where state = 'sold'")
    for code, answer in world.history.purchases:
        if isinstance(answer, SoldOut):
            assert any(item == code.item for item, _ in sold), "sold out, and nobody has it"
        if isinstance(answer, LimitExceeded):
            assert sum(buyer == code.buyer for _, buyer in sold) == 10, "no ten, and limited"


def check_knowledge(world: World) -> None:
    """A Redis that says that it has the sale knows all that was sold before."""
    client: Any = world.redis
    if client.hexists(sale_key(world.starts_at, "sale"), "loaded"):
        claims = client.hgetall(sale_key(world.starts_at, "claims")).values()
        known = sum(claim.startswith(b"sold") for claim in claims)
        sold = world.query("select count(*) from purchases where state = 'sold'")
        assert [[known]] == sold, "loaded before it was"


def check_open(world: World) -> None:
    """Nobody who stands still keeps others from the sale."""
    assert world.redis.hexists(sale_key(world.starts_at, "sale"), "loaded"), "the sale is not open"


def _check_redis(world: World, sold: dict[int, str], buyers: Counter[str]) -> None:
    """Redis says what the ledger says, and nobody holds anything."""
    check_open(world)
    client: Any = world.redis
    key = {name: sale_key(world.starts_at, name) for name in ("claims", "buyers")}
    claims = {int(item): claim.decode() for item, claim in client.hgetall(key["claims"]).items()}
    assert claims == sold, "Redis and the ledger disagree about who has what"
    assert world.redis.zcard(sale_key(world.starts_at, "pending")) == 0, "a claim was left over"
    counts = {
        buyer.decode(): count.decode()
        for buyer, count in client.hgetall(key["buyers"]).items()
        if count != b"0 0"
    }
    assert counts == {buyer: f"0 {n}" for buyer, n in buyers.items()}, "counted wrongly"


def check_attempts(world: World, *, dead: int = 0) -> None:
    """Every checkout that was answered is a row, and what is no attempt was put aside once."""
    rows = world.query("select buyer, item from attempts")
    kept = Counter((str(buyer), int(item)) for buyer, item in rows)
    lost = Counter(world.history.attempts) - kept
    assert not lost, f"acknowledged and lost: {lost}"
    assert world.query("select count(*) from dead_attempts") == [[dead]]
    assert world.redis.xlen(sale_key(world.starts_at, "attempts")) == 0, "attempts still wait"
