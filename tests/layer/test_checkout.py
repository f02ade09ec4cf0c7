"""checkout.lua and stock.lua: what onlookers hear of a sale; and the attempt they leave."""

import redis

from tests.layer.conftest import Gate, nonce


async def test_an_item_that_nobody_bought_is_available(gate: Gate) -> None:
    await gate.open()
    assert await gate.checkout(("ann", 1)) == ["available"]


async def test_a_sale_that_is_not_loaded_says_so_once_for_all(gate: Gate) -> None:
    assert await gate.checkout(("ann", 1), ("bob", 2)) == ["not_loaded"]


async def test_a_sale_that_begins_later_is_not_open(gate: Gate) -> None:
    await gate.open(starts_in=60)
    assert await gate.checkout(("ann", 1)) == ["not_open"]


async def test_a_sale_has_ended_in_the_second_of_its_end(gate: Gate) -> None:
    await gate.open(ends_in=0)
    assert await gate.checkout(("ann", 1)) == ["sale_ended"]


async def test_a_sold_item_is_sold_out_and_a_held_one_is_available(gate: Gate) -> None:
    await gate.open()
    await gate.claim((1, "ann", 1), (2, "ann", 2))
    await gate.confirm((1, "ann", 1))
    assert await gate.checkout(("bob", 1), ("bob", 2), ("ann", 1)) == [
        "sold_out", "available", "sold_out"
    ]  # fmt: skip


async def test_only_ten_bought_items_are_a_limit_and_held_ones_are_not(gate: Gate) -> None:
    await gate.open()
    await gate.claim(*((number, "ann", number) for number in range(1, 11)))
    await gate.confirm(*((number, "ann", number) for number in range(1, 10)))
    assert gate.counts("ann") == "1 9"
    assert await gate.checkout(("ann", 99)) == ["available"]
    await gate.confirm((10, "ann", 10))
    assert await gate.checkout(("ann", 99), ("bob", 99)) == ["limit_exceeded", "available"]


async def test_the_limit_is_told_before_the_item(gate: Gate) -> None:
    await gate.open()
    await gate.confirm(*((number, "ann", number) for number in range(1, 11)))
    assert await gate.checkout(("ann", 1)) == ["limit_exceeded"]


async def test_a_thousand_checkouts_are_answered_in_order_and_leave_no_trace(gate: Gate) -> None:
    await gate.open()
    await gate.confirm(*((item, f"b{item}", item) for item in range(1, 1_001, 2)))
    before = gate.state()
    told = await gate.checkout(*(("ann", item) for item in range(1, 1_001)))
    assert told == ["sold_out", "available"] * 500
    assert gate.state() == before


async def test_the_clock_that_comes_with_an_answer_is_redis_s(
    gate: Gate, redis_client: "redis.Redis"
) -> None:
    await gate.open()
    before_s, before_us = redis_client.time()
    now_ms, _, _ = await gate.call("stock")
    after_s, after_us = redis_client.time()
    assert before_s * 1_000 + before_us // 1_000 <= now_ms <= after_s * 1_000 + after_us // 1_000


async def test_stock_counts_what_is_sold_and_not_what_is_held(gate: Gate) -> None:
    _, loaded, sold = await gate.call("stock")
    assert (loaded, sold) == (0, 0)
    await gate.open()
    await gate.claim(*((number, f"b{number}", number) for number in range(1, 9)))
    assert (await gate.call("stock"))[1:] == [1, 0]
    await gate.confirm((1, "b1", 1), (2, "b2", 2), (50, "zoe", 50))
    before = gate.state()
    assert (await gate.call("stock"))[1:] == [1, 3]
    await gate.release((3, 3))
    assert await gate.sold() == 3
    assert before["sale"] == gate.state()["sale"]


async def test_in_stream_mode_the_attempt_is_kept_with_its_outcome(
    gate: Gate, redis_client: "redis.Redis"
) -> None:
    await gate.open()
    await gate.confirm((1, "zoe", 2))
    assert await gate.checkout(("ann", 1), ("bob", 2), stream_max=9) == ["available", "sold_out"]
    kept = [fields for _, fields in gate.state()["attempts"]]
    assert kept == [
        {
            b"code": nonce(number).encode(),
            b"buyer": buyer,
            b"item": item,
            b"outcome": outcome,
            b"at_ms": str(gate.now * 1_000 + number).encode(),
        }
        for number, (buyer, item, outcome) in enumerate(
            [(b"ann", b"1", b"available"), (b"bob", b"2", b"sold_out")]
        )
    ]
    assert redis_client.expiretime(gate.key("attempts")) == gate.expire_at


async def test_a_full_stream_refuses_the_batch_and_trims_nothing(gate: Gate) -> None:
    await gate.open()
    await gate.checkout(*(("ann", item) for item in range(1, 8)), stream_max=9)
    before = gate.state()
    assert await gate.checkout(*(("ann", 1),) * 3, stream_max=9) == ["stream_full"]
    assert gate.state() == before
    assert await gate.checkout(*(("ann", 1),) * 2, stream_max=9) == ["available"] * 2
    assert await gate.checkout(("ann", 1), stream_max=0) == ["available"]
    assert len(gate.state()["attempts"]) == 9


async def test_a_thousand_attempts_fit_in_one_call(gate: Gate) -> None:
    await gate.open()
    asked = [("ann", item) for item in range(1, 1_001)]
    assert await gate.checkout(*asked, stream_max=1_000) == ["available"] * 1_000
    assert len(gate.state()["attempts"]) == 1_000


async def test_attempts_are_appended_if_there_is_room_for_all(
    gate: Gate, redis_client: "redis.Redis"
) -> None:
    attempts = [(n, "ann", n, "available") for n in range(1_000)]
    assert await gate.append(*attempts, stream_max=1_000) == 1
    assert await gate.append((1, "ann", 1, "sold_out"), stream_max=1_000) == 0
    kept = gate.state()["attempts"]
    assert [fields[b"item"] for _, fields in kept] == [str(n).encode() for n in range(1_000)]
    assert redis_client.expiretime(gate.key("attempts")) == gate.expire_at


async def test_attempts_that_are_persisted_are_forgotten_once(
    gate: Gate, redis_client: "redis.Redis"
) -> None:
    await gate.append(*((n, "ann", n, "available") for n in range(5)))
    key = gate.key("attempts")
    redis_client.xgroup_create(key, "ledger", "0")
    redis_client.xreadgroup("ledger", "one", {key: ">"}, count=3)
    ids = [entry_id.decode() for entry_id, _ in gate.state()["attempts"]]
    assert await gate.call("persisted", *ids[:2], group="ledger") == 2
    assert await gate.call("persisted", *ids[:2], group="ledger") == 0
    assert [entry_id.decode() for entry_id, _ in gate.state()["attempts"]] == ids[2:]
    assert redis_client.xpending(key, "ledger")["pending"] == 1
