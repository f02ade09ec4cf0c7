"""confirm.lua, release.lua, overdue.lua, open.lua: Redis is told what the ledger decided."""

import redis

from tests.layer.conftest import Gate, nonce


async def test_a_confirmed_claim_is_sold_and_a_repeat_changes_nothing(gate: Gate) -> None:
    await gate.open()
    await gate.claim((1, "ann", 7))
    assert await gate.confirm((1, "ann", 7)) == 1
    after = gate.state()
    assert after["claims"] == {b"7": f"sold {nonce(1)} ann".encode()}
    assert after["pending"] == []
    assert gate.counts("ann") == "0 1"
    assert await gate.confirm((1, "ann", 7), (1, "ann", 7)) == 0
    assert gate.state() == after


async def test_a_sale_that_redis_forgot_is_written_down(gate: Gate) -> None:
    await gate.open()
    assert await gate.confirm((1, "ann", 7), (2, "ann", 8)) == 2
    assert gate.counts("ann") == "0 2"
    assert await gate.sold() == 2


async def test_a_sale_over_a_foreign_claim_takes_the_item_and_mends_both_counts(
    gate: Gate,
) -> None:
    await gate.open()
    await gate.claim((2, "bob", 7), (3, "bob", 8))
    assert await gate.confirm((1, "ann", 7)) == 1
    assert gate.counts("bob") == "1 0"
    assert gate.counts("ann") == "0 1"
    assert [item for item, _ in gate.state()["pending"]] == [b"8"]
    assert await gate.sold() == 1
    assert await gate.claim((2, "bob", 7)) == ["sold_out"]


async def test_a_sale_over_another_code_of_the_same_buyer_counts_once(gate: Gate) -> None:
    await gate.open()
    await gate.claim((2, "ann", 7))
    await gate.confirm((1, "ann", 7))
    assert gate.counts("ann") == "0 1"


async def test_a_sale_over_a_foreign_sale_mends_both_counts(gate: Gate) -> None:
    """Redis may have been told wrong by a primary that failed over; the ledger is right."""
    await gate.open()
    await gate.confirm((2, "bob", 7))
    await gate.confirm((1, "ann", 7))
    assert gate.counts("bob") == "0 0"
    assert gate.counts("ann") == "0 1"
    assert await gate.sold() == 1


async def test_a_released_claim_gives_back_the_item_and_the_count(gate: Gate) -> None:
    await gate.open()
    await gate.claim((1, "ann", 7), (2, "ann", 8))
    assert await gate.release((1, 7)) == 1
    assert gate.counts("ann") == "1 0"
    assert gate.state()["claims"] == {b"8": f"held {nonce(2)} ann".encode()}
    assert [item for item, _ in gate.state()["pending"]] == [b"8"]
    assert await gate.claim((3, "bob", 7)) == ["claimed"]


async def test_a_release_repeated_late_or_for_what_is_sold_changes_nothing(gate: Gate) -> None:
    await gate.open()
    await gate.claim((1, "ann", 7), (2, "ann", 8))
    await gate.release((1, 7))
    await gate.claim((3, "bob", 7))
    await gate.confirm((2, "ann", 8))
    before = gate.state()
    assert await gate.release((1, 7), (2, 8), (9, 99)) == 0
    assert gate.state() == before


async def test_overdue_lists_claims_whose_lease_is_over_the_longest_first(gate: Gate) -> None:
    await gate.open()
    await gate.claim((1, "ann", 7), lease_ms=-1_000)
    await gate.claim((2, "bob.b@x", 5), lease_ms=-2_000)
    await gate.claim((3, "cid", 3), lease_ms=0)
    await gate.claim((4, "dan", 4), lease_ms=60_000)
    before = gate.state()
    listed = [b"5", nonce(2).encode(), b"bob.b@x", b"7", nonce(1).encode(), b"ann"]
    assert await gate.call("overdue", most=2) == listed
    assert await gate.call("overdue", most=99) == [*listed, b"3", nonce(3).encode(), b"cid"]
    assert gate.state() == before


async def test_what_is_settled_is_not_overdue(gate: Gate) -> None:
    await gate.open()
    await gate.claim((1, "ann", 7), (2, "bob", 8), lease_ms=0)
    await gate.confirm((1, "ann", 7))
    await gate.release((2, 8))
    assert await gate.call("overdue", most=99) == []


async def test_a_thousand_claims_are_listed_and_given_back_in_one_call(gate: Gate) -> None:
    await gate.open()
    await gate.claim(*((n, f"b{n % 100}", n) for n in range(1, 1_001)), lease_ms=0)
    assert len(await gate.call("overdue", most=1_000)) == 3_000
    assert await gate.release(*((n, n) for n in range(1, 1_001))) == 1_000
    assert gate.state()["claims"] == {}
    assert {gate.counts(f"b{n}") for n in range(100)} == {"0 0"}


async def test_a_sale_is_opened_once_and_may_be_declared_again(
    gate: Gate, redis_client: "redis.Redis"
) -> None:
    assert await gate.open() == 1
    opened = gate.state()
    assert await gate.open() == 0
    assert gate.state() == opened
    assert opened["sale"] == {
        b"id": b"sale_x",
        b"starts_at": str(gate.now - 100).encode(),
        b"ends_at": str(gate.now + 3_600).encode(),
        b"total": b"10000",
        b"run_id": b"run",
        b"loaded": b"1",
    }
    assert redis_client.expiretime(gate.key("sale")) == gate.expire_at
