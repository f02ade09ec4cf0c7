"""Batches: who arrives during one leaves in the next, and nobody pays for a neighbour."""

import asyncio
from collections.abc import Sequence

import pytest
from flashsale.batching import Batcher
from flashsale.errors import EntryRejected, Overloaded, StoreDown


class Store:
    """Doubles numbers, a batch at a time, once `open` is set; refuses batches with 13 in them, and
    is away for those with 99."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.batches: list[list[int]] = []

    async def run(self, entries: list[int]) -> Sequence[int | BaseException]:
        self.batches.append(entries)
        await self.open.wait()
        if 99 in entries:
            raise StoreDown("away")
        if 13 in entries:
            raise EntryRejected("thirteen")
        return [KeyError(entry) if entry < 0 else entry * 2 for entry in entries]


def batcher(store: Store, *, size_max: int = 100, waiting_max: int = 100) -> Batcher[int, int]:
    return Batcher(store.run, size_max=size_max, waiting_max=waiting_max)


async def test_calls_that_wait_share_the_next_batch_in_order() -> None:
    store = Store()
    calls = batcher(store)
    first = calls.add(0)
    await asyncio.sleep(0)  # the first batch leaves with what is there
    others = [calls.add(number) for number in range(1, 8)]
    store.open.set()
    assert await asyncio.gather(first, *others) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert store.batches == [[0], [1, 2, 3, 4, 5, 6, 7]]


async def test_a_batch_has_a_size_and_the_order_is_kept() -> None:
    store = Store()
    store.open.set()
    calls = batcher(store, size_max=3)
    assert await asyncio.gather(*map(calls.add, range(8))) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert store.batches == [[0, 1, 2], [3, 4, 5], [6, 7]]


@pytest.mark.parametrize("place", range(7))
async def test_the_neighbours_of_a_poisoned_entry_are_unharmed(place: int) -> None:
    store = Store()
    store.open.set()
    calls = batcher(store)
    entries = [1, 2, 3, 4, 5, 6]
    entries.insert(place, 13)
    answers = await asyncio.gather(*map(calls.add, entries), return_exceptions=True)
    assert isinstance(answers.pop(place), EntryRejected)
    assert answers == [2, 4, 6, 8, 10, 12]
    assert len(store.batches) <= 7  # by halves, not one by one


async def test_several_poisoned_entries_fail_alone() -> None:
    store = Store()
    store.open.set()
    calls = batcher(store)
    entries = [13, 1, 13, 13, 2]
    answers = await asyncio.gather(*map(calls.add, entries), return_exceptions=True)
    assert [type(answer) for answer in answers] == [
        EntryRejected, int, EntryRejected, EntryRejected, int
    ]  # fmt: skip


async def test_an_answer_that_is_an_exception_reaches_its_caller_alone() -> None:
    store = Store()
    store.open.set()
    calls = batcher(store)
    answers = await asyncio.gather(*map(calls.add, [1, -1, 2]), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], KeyError)
    assert answers[2] == 4
    assert len(store.batches) == 1


async def test_a_batch_that_fails_reaches_exactly_its_callers() -> None:
    store = Store()
    calls = batcher(store, size_max=2)
    store.open.set()
    answers = await asyncio.gather(*map(calls.add, [1, 2, 99, 4, 5, 6]), return_exceptions=True)
    assert [type(answer) for answer in answers[2:4]] == [StoreDown, StoreDown]
    assert answers[:2] + answers[4:] == [2, 4, 10, 12]


async def test_too_many_that_wait_are_refused_at_once_and_the_rest_served() -> None:
    store = Store()
    calls = batcher(store, waiting_max=2)
    under_way = calls.add(1)
    await asyncio.sleep(0)
    waiting = [calls.add(2), calls.add(3)]
    with pytest.raises(Overloaded):
        calls.add(4)
    store.open.set()
    assert await asyncio.gather(under_way, *waiting) == [2, 4, 6]
    assert await calls.add(5) == 10


async def test_callers_that_gave_up_break_nobody() -> None:
    store = Store()
    calls = batcher(store)
    gone, here = calls.add(1), calls.add(2)
    await asyncio.sleep(0)
    gone_early, here_too = calls.add(3), calls.add(4)
    for future in (gone, gone_early):
        future.cancel()
    store.open.set()
    assert (await here, await here_too) == (4, 8)


async def test_an_answer_too_few_is_a_fault_and_not_a_shift() -> None:
    async def run(entries: list[int]) -> list[int]:
        return entries[1:]

    calls = Batcher(run, size_max=9, waiting_max=9)
    answers = await asyncio.gather(calls.add(1), calls.add(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [RuntimeError, RuntimeError]


async def test_settled_waits_for_what_is_queued() -> None:
    store = Store()
    store.open.set()
    calls = batcher(store, size_max=1)
    futures = [calls.add(number) for number in range(5)]
    await calls.settled()
    assert all(future.done() for future in futures)
    assert not calls._waiting


async def test_a_batch_waits_for_half_of_the_crowd_and_not_for_ever() -> None:
    crowd, sizes = 0, []

    async def run(entries: list[int]) -> list[int]:
        sizes.append(len(entries))
        return entries

    calls: Batcher[int, int] = Batcher(
        run, size_max=50, waiting_max=1_000, crowd=lambda: crowd, gather_seconds=0.05
    )

    async def one_by_one(count: int) -> None:
        asked = []
        for number in range(count):
            asked.append(calls.add(number))
            await asyncio.sleep(0)
        await asyncio.gather(*asked)

    for people, count, told in [
        (0, 3, [1, 1, 1]),
        (3, 3, [1, 1, 1]),  # half of three is less than two
        (10, 10, [5, 5]),
        (10, 7, [5, 2]),  # the last two wait in vain for three others
        (400, 120, [50, 50, 20]),  # a full batch waits for nobody
    ]:
        crowd = people
        sizes.clear()
        await one_by_one(count)
        assert sizes == told
