"""claim.lua: an item is held for one code, and a refusal leaves no trace."""

import pytest
import redis

from tests.layer.conftest import Gate, nonce


async def test_a_claim_holds_the_item_counts_it_and_lasts_its_lease(
    gate: Gate, redis_client: "redis.Redis"
) -> None:
    await gate.open()
    assert await gate.claim((1, "ann", 7), lease_ms=60_000) == ["claimed"]
    assert gate.state()["claims"] == {b"7": f"held {nonce(1)} ann".encode()}
    assert gate.counts("ann") == "1 0"
    (_, lease_end_ms) = gate.state()["pending"][0]
    assert 59_000 < lease_end_ms - redis_client.time()[0] * 1_000 <= 61_000


async def test_the_same_code_claims_again_and_counts_once(gate: Gate) -> None:
    await gate.open()
    assert await gate.claim((1, "ann", 7), lease_ms=1) == ["claimed"]
    assert await gate.claim((1, "ann", 7), (1, "ann", 7), lease_ms=60_000) == ["claimed"] * 2
    assert gate.counts("ann") == "1 0"
    (_, lease_end_ms) = gate.state()["pending"][0]
    assert lease_end_ms > (gate.now + 50) * 1_000


async def test_a_code_that_sold_is_told_so_for_ever(gate: Gate) -> None:
    """Also after its end and the sale's: the buyer has the item, and asks again."""
    await gate.open()
    await gate.confirm((1, "ann", 7))
    before = gate.state()
    assert await gate.claim((1, "ann", 7)) == ["sold"]
    assert await gate.claim((1, "ann", 7), expires_in=-1) == ["sold"]
    assert gate.state() == before
    await gate.open(ends_in=0)
    assert await gate.claim((1, "ann", 7)) == ["sold"]


async def test_a_claim_that_was_made_in_time_goes_on_after_the_end(gate: Gate) -> None:
    await gate.open()
    await gate.claim((1, "ann", 7))
    await gate.open(ends_in=0)
    assert await gate.claim((1, "ann", 7), expires_in=-1) == ["claimed"]


REFUSALS = {
    "sold_out": (20, "bob", 1),
    "limit_exceeded": (20, "rich", 500),
    "check": (20, "bob", 2),
}


@pytest.mark.parametrize("word", REFUSALS)
async def test_a_refusal_leaves_no_trace(gate: Gate, word: str) -> None:
    """Item 1 is sold, item 2 is held, and one buyer has ten."""
    await gate.open()
    await gate.claim((1, "ann", 1), (2, "ann", 2))
    await gate.confirm((1, "ann", 1), *((100 + n, "rich", 100 + n) for n in range(10)))
    before = gate.state()
    assert await gate.claim(REFUSALS[word]) == [word]
    assert gate.state() == before


async def test_ten_held_items_are_no_reason_to_refuse_but_to_check(gate: Gate) -> None:
    await gate.open()
    codes = [(number, "ann", number) for number in range(1, 12)]
    assert await gate.claim(*codes) == ["claimed"] * 10 + ["check"]
    assert gate.counts("ann") == "10 0"
    await gate.release((1, 1))
    assert await gate.claim(codes[-1]) == ["claimed"]


async def test_a_claim_whose_lease_is_over_stands_in_the_way_and_is_said_to(gate: Gate) -> None:
    await gate.open()
    await gate.claim((1, "ann", 7), lease_ms=-1_000)
    before = gate.state()
    assert await gate.claim((2, "bob", 7)) == ["overdue"]
    assert gate.state() == before
    assert await gate.claim((1, "ann", 7)) == ["claimed"]
    assert await gate.claim((2, "bob", 7)) == ["check"]


async def test_of_two_codes_for_one_item_in_a_batch_the_first_holds_it(gate: Gate) -> None:
    await gate.open()
    assert await gate.claim((1, "ann", 7), (2, "bob", 7), (3, "ann", 7)) == [
        "claimed", "check", "check"
    ]  # fmt: skip


async def test_too_late_is_refused_for_the_sale_first_and_leaves_no_trace(gate: Gate) -> None:
    await gate.open()
    before = gate.state()
    assert await gate.claim((1, "ann", 7), expires_in=0) == ["code_expired"]
    assert gate.state() == before
    await gate.open(ends_in=0)
    before = gate.state()
    assert await gate.claim((1, "ann", 7), expires_in=0) == ["sale_ended"]
    assert await gate.claim((1, "ann", 7), expires_in=900) == ["sale_ended"]
    assert gate.state() == before


async def test_a_sale_that_is_not_loaded_or_not_open_says_so_once_for_all(gate: Gate) -> None:
    codes = (1, "ann", 1), (2, "bob", 2)
    assert await gate.claim(*codes) == ["not_loaded"]
    await gate.open(starts_in=60)
    before = gate.state()
    assert await gate.claim(*codes) == ["not_open"]
    assert gate.state() == before


async def test_what_is_sold_to_a_sale_not_loaded_yet_does_not_load_it(gate: Gate) -> None:
    """Else a Redis that forgot would refuse and grant by the little it was told since."""
    await gate.confirm((1, "ann", 1))
    assert await gate.claim((2, "bob", 1)) == ["not_loaded"]
    assert await gate.open() == 1
    assert await gate.claim((2, "bob", 1)) == ["sold_out"]


async def test_a_thousand_claims_in_one_call(gate: Gate) -> None:
    await gate.open()
    codes = [(number, f"b{number}", number) for number in range(1, 1_001)]
    assert await gate.claim(*codes) == ["claimed"] * 1_000
    assert len(gate.state()["pending"]) == 1_000
    assert await gate.confirm(*codes) == 1_000
    assert await gate.sold() == 1_000
    assert await gate.claim(*codes) == ["sold"] * 1_000


async def test_every_key_ends_with_the_sale_even_if_all_are_refused(
    gate: Gate, redis_client: "redis.Redis"
) -> None:
    await gate.open()
    await gate.claim((1, "ann", 1))
    await gate.claim((2, "bob", 1))
    for name in ("sale", "claims", "buyers", "pending"):
        assert redis_client.expiretime(gate.key(name)) == gate.expire_at
