"""Purchases in the ledger: one code, one row, and a refusal that names what stands against it."""

import asyncio
import dataclasses
import uuid
from collections.abc import Callable

import pytest
from flashsale.codes import CheckoutCode
from flashsale.config import Settings
from flashsale.errors import EntryRejected
from flashsale.ledger import Decision, Ledger
from flashsale.model import Attempt, Calendar, Sold

from tests.conftest import Rows
from tests.layer.conftest import STARTS_AT, code, nonce


async def test_a_code_sells_its_item_in_the_first_slot(
    ledger: Ledger, query: Callable[..., Rows]
) -> None:
    assert await ledger.purchase(code(1, item=7)) == Decision("sold")
    assert query(
        "select code_id, state, extract(epoch from sale), item, buyer, slot, purchase_id"
        " from purchases"
    ) == [[_uuid(1), "sold", STARTS_AT, 7, "ann", 1, "purchase_0000000000000001"]]


async def test_a_code_sent_again_is_sold_still_and_has_one_row(
    ledger: Ledger, query: Callable[..., Rows]
) -> None:
    for _ in range(3):
        same = [ledger.purchase(code(1, item=7)) for _ in range(5)]
        assert {decision.word for decision in await asyncio.gather(*same)} == {"sold"}
    assert query("select count(*) from purchases") == [[1]]


async def test_two_batches_with_the_same_codes_sell_each_once(
    ledger: Ledger, settings: Settings, query: Callable[..., Rows]
) -> None:
    other = Ledger(settings)
    codes = [code(n, item=n, buyer=f"b{n}") for n in range(1, 101)]
    for _ in range(2):
        decisions = await asyncio.gather(
            *map(ledger.purchase, codes), *map(other.purchase, reversed(codes))
        )
        assert {decision.word for decision in decisions} == {"sold"}
    assert query("select count(*), count(distinct item) from purchases") == [[100, 100]]
    await other.close()


async def test_two_purchase_ids_that_happen_to_be_alike_refuse_nobody(
    ledger: Ledger, query: Callable[..., Rows]
) -> None:
    first = code(1, item=1)
    second = dataclasses.replace(code(2, item=2), purchase_id=first.purchase_id)
    assert (await ledger.purchase(first)).word == "sold"
    assert (await ledger.purchase(second)).word == "sold"
    assert query("select count(*) from purchases") == [[2]]


async def test_a_taken_item_names_its_winner(ledger: Ledger) -> None:
    await ledger.purchase(code(1, item=7, buyer="ann"))
    taken = Decision("item_taken", Sold(STARTS_AT, 7, nonce(1), "ann"))
    assert await ledger.purchase(code(2, item=7, buyer="bob")) == taken
    assert await ledger.look_up(code(2, item=7, buyer="bob")) == taken
    assert await ledger.purchase(code(3, item=7, buyer="ann")) == taken


async def test_in_one_batch_an_item_goes_to_one_and_the_others_hear_who(ledger: Ledger) -> None:
    decisions = await asyncio.gather(
        *(ledger.purchase(code(n, item=7, buyer=f"b{n}")) for n in range(1, 21))
    )
    (winner,) = (n for n, decision in enumerate(decisions, start=1) if decision.word == "sold")
    told = [decision for decision in decisions if decision.word != "sold"]
    assert told == [Decision("item_taken", Sold(STARTS_AT, 7, nonce(winner), f"b{winner}"))] * 19


async def test_an_item_is_sold_once_in_each_sale(ledger: Ledger) -> None:
    assert (await ledger.purchase(code(1, item=7))).word == "sold"
    assert (await ledger.purchase(code(2, item=7, starts_at=STARTS_AT + 3_600))).word == "sold"


async def test_the_eleventh_item_is_refused_and_another_sale_s_is_not(ledger: Ledger) -> None:
    ten = await asyncio.gather(*(ledger.purchase(code(n, item=n)) for n in range(1, 11)))
    assert {decision.word for decision in ten} == {"sold"}
    assert await ledger.purchase(code(11, item=11)) == Decision("limit")
    assert await ledger.look_up(code(11, item=11)) == Decision("limit")
    assert (await ledger.purchase(code(12, item=12, buyer="bob"))).word == "sold"
    assert (await ledger.purchase(code(13, item=1, starts_at=STARTS_AT + 3_600))).word == "sold"
    assert (await ledger.purchase(code(1, item=1))).word == "sold"


async def test_a_taken_item_uses_up_no_slot(ledger: Ledger, query: Callable[..., Rows]) -> None:
    """Nine are bought; of two more in one batch the first is taken: the second still fits."""
    await ledger.purchase(code(100, item=50, buyer="bob"))
    await asyncio.gather(*(ledger.purchase(code(n, item=n)) for n in range(1, 10)))
    taken, fits = await asyncio.gather(
        ledger.purchase(code(10, item=50)), ledger.purchase(code(11, item=51))
    )
    assert (taken.word, fits.word) == ("item_taken", "sold")
    slots = query("select slot from purchases where buyer = 'ann' order by slot")
    assert slots == [[slot] for slot in range(1, 11)]


async def test_in_a_batch_with_refused_ones_the_others_sell_in_the_lowest_free_slots(
    ledger: Ledger, query: Callable[..., Rows]
) -> None:
    """A code that has sold, one that is void, a taken item, and buyers with gaps in their slots."""
    await asyncio.gather(*(ledger.purchase(code(n, item=n)) for n in range(1, 9)))
    query("delete from purchases where slot in (2, 5)")
    await ledger.purchase(code(50, item=50, buyer="bob"))
    await ledger.fence(code(51, item=51, buyer="bob"))
    codes = [
        code(50, item=50, buyer="bob"),
        code(51, item=51, buyer="bob"),
        code(52, item=1, buyer="bob"),
        *(code(n, item=n) for n in range(61, 67)),
    ]
    decisions = await asyncio.gather(*map(ledger.purchase, codes))
    words = ["sold", "void", "item_taken", *["sold"] * 4, "limit", "limit"]
    assert [decision.word for decision in decisions] == words
    slots = query("select item, slot from purchases where item > 60 order by item")
    assert slots == [[61, 2], [62, 5], [63, 9], [64, 10]]


async def test_looking_up_decides_nothing(ledger: Ledger, query: Callable[..., Rows]) -> None:
    assert await ledger.look_up(code(1, item=7)) == Decision("open")
    assert query("select count(*) from purchases") == [[0]]
    await ledger.purchase(code(1, item=7))
    assert (await ledger.look_up(code(1, item=7))).word == "sold"


async def test_a_voided_code_never_sells_however_late_its_insert_comes(
    ledger: Ledger, query: Callable[..., Rows]
) -> None:
    assert await ledger.fence(code(1, item=7)) is False
    assert (await ledger.purchase(code(1, item=7))).word == "void"
    assert (await ledger.look_up(code(1, item=7))).word == "void"
    assert query("select state, slot, purchase_id from purchases") == [["void", None, None]]
    assert (await ledger.purchase(code(2, item=7, buyer="bob"))).word == "sold"


async def test_a_fence_tells_sold_from_void_and_may_be_repeated(ledger: Ledger) -> None:
    await asyncio.gather(*(ledger.purchase(code(n, item=n, buyer=f"b{n}")) for n in range(1, 51)))
    codes = [code(n, item=n, buyer=f"b{n}") for n in range(1, 101)]
    for _ in range(2):
        sold = await asyncio.gather(*map(ledger.fence, codes))
        assert sold == [True] * 50 + [False] * 50


async def test_fence_and_purchase_at_once_agree(
    ledger: Ledger, settings: Settings, query: Callable[..., Rows]
) -> None:
    """Each code either sold, and both say so, or is void, and both say so."""
    other = Ledger(settings)
    codes = [code(n, item=n, buyer=f"b{n}") for n in range(1, 201)]
    fences = [other.fence(each) for each in codes]
    decisions = await asyncio.gather(*map(ledger.purchase, codes))
    fenced = await asyncio.gather(*fences)
    assert [decision.word for decision in decisions] == [
        "sold" if had_sold else "void" for had_sold in fenced
    ]
    assert query("select count(*) from purchases") == [[200]]
    await other.close()


@pytest.mark.parametrize(
    "poisoned",
    [
        code(5, item=5, buyer="nul\0"),
        code(5, item=99_999_999_999),
        code(5, item=5, buyer="two,buyers"),
        code(5, item=5, starts_at=10**18),
    ],
    ids=["a NUL", "an item too large", "a comma", "a time too late"],
)
async def test_a_row_that_can_t_be_stored_fails_alone(
    ledger: Ledger, query: Callable[..., Rows], poisoned: CheckoutCode
) -> None:
    codes = [code(n, item=n, buyer=f"b{n}") for n in range(1, 12)]
    codes[4] = poisoned
    decisions = await asyncio.gather(*map(ledger.purchase, codes), return_exceptions=True)
    assert isinstance(decisions.pop(4), EntryRejected)
    assert decisions == [Decision("sold")] * 10
    del codes[4]
    rows = query("select code_id, item, buyer from purchases order by item")
    assert rows == [[_uuid(int(c.nonce, 16)), c.item, c.buyer] for c in codes]


async def test_an_attempt_sent_again_is_kept_once_and_its_neighbours_too(
    ledger: Ledger, query: Callable[..., Rows]
) -> None:
    await ledger.open_sale(Calendar(3_600, 10).sale_starting(STARTS_AT))
    await ledger.record(attempt(1))
    await asyncio.gather(*(ledger.record(attempt(number)) for number in (1, 2, 3, 2)))
    assert query("select code_id from attempts order by code_id") == [[_uuid(n)] for n in (1, 2, 3)]


async def test_an_attempt_that_can_t_be_stored_fails_alone(
    ledger: Ledger, query: Callable[..., Rows]
) -> None:
    await ledger.open_sale(Calendar(3_600, 10).sale_starting(STARTS_AT))
    poisoned = dataclasses.replace(attempt(2), buyer="nul\0")
    kept = await asyncio.gather(
        *map(ledger.record, (attempt(1), poisoned, attempt(3))), return_exceptions=True
    )
    assert (kept[0], kept[2]) == (None, None)
    assert isinstance(kept[1], EntryRejected)
    assert query("select code_id from attempts order by code_id") == [[_uuid(n)] for n in (1, 3)]


async def test_what_was_sold_is_told_by_sale_and_by_buyer(ledger: Ledger) -> None:
    for n in range(1, 4):
        await ledger.purchase(code(n, item=n, buyer="bob" if n == 3 else "ann"))
    await ledger.fence(code(9, item=9))
    mine = [Sold(STARTS_AT, n, nonce(n), "ann") for n in (1, 2)]
    his = Sold(STARTS_AT, 3, nonce(3), "bob")
    assert sorted(await ledger.sold_in_sale(STARTS_AT), key=lambda sold: sold.item) == [*mine, his]
    assert sorted(await ledger.sold_to_buyer(STARTS_AT, "ann"), key=lambda s: s.item) == mine
    assert await ledger.sold_to_buyer(STARTS_AT, "zoe") == []
    assert await ledger.count_sold(STARTS_AT) is None


def attempt(number: int) -> Attempt:
    return Attempt(
        at_ms=STARTS_AT * 1_000,
        nonce=nonce(number),
        starts_at=STARTS_AT,
        buyer="ann",
        item=number,
        outcome="available",
    )


def _uuid(number: int) -> uuid.UUID:
    return uuid.UUID(int=number)
