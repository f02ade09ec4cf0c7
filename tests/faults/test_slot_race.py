"""Commits that take a buyer's slots at the same moment: made to, not left to chance."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pg8000.native
import pytest
from flashsale.config import Settings
from flashsale.ledger import Ledger

from tests.conftest import Rows
from tests.layer.conftest import code

Query = Callable[..., Rows]
Wait = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

# Goes into its batch before those of ann.
REPEATED = code(200, item=200, buyer="abe")
SLOTS_OF_ANN = "select count(*), count(distinct slot) from purchases where buyer = 'ann'"
WAITS = "select wait_event from pg_stat_activity where wait_event_type = 'Lock' and datname = :name"
# A look at the ledger that says what it saw when it is let go on.
SLOW_LOOK = """
create function verdicts(uuid[], timestamptz[], integer[], text[]) returns table
    (code_id uuid, verdict text, starts_at bigint, item integer, winner uuid, winner_buyer text)
language plpgsql as $$
begin
    return query select * from verdicts_at_once($1, $2, $3, $4);
    perform pg_advisory_xact_lock(1);
end
$$
"""


class Other:
    """Somebody else's connection, which sells to the same buyer."""

    def __init__(self, settings: Settings) -> None:
        self._connection = pg8000.native.Connection(
            user=settings.db_user,
            password=settings.db_password,
            host=settings.db_host,
            port=settings.db_port,
            database=settings.db_name,
        )
        self.run = self._connection.run
        self.close = self._connection.close

    def purchase(self, item: int) -> None:
        one = code(item, item=item)
        self.run(
            "select purchase(:code, :id, :sale, :item, 'ann')",
            code=one.nonce,
            id=one.purchase_id,
            sale=str(one.starts_at),
            item=str(item),
        )


@pytest.fixture
def other(settings: Settings) -> Iterator[Other]:
    made = Other(settings)
    yield made
    made.close()


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    made = Ledger(settings)
    yield made
    await made.close()


async def buy(ledger: Ledger, items: int) -> None:
    await asyncio.gather(*(ledger.purchase(code(item, item=item)) for item in range(items)))


@pytest.mark.parametrize("first", ["at_once", "row_by_row"])
@pytest.mark.parametrize(("bought", "word"), [(9, "limit"), (8, "sold")])
async def test_whoever_comes_second_looks_again(
    settings: Settings,
    ledger: Ledger,
    other: Other,
    query: Query,
    wait_until: Wait,
    first: str,
    bought: int,
    word: str,
) -> None:
    """The other one's row is written and not committed: it waits, then takes the next slot, or
    hears that there is none. So it does behind a code that has sold, with which a batch goes row by
    row from the start."""
    await buy(ledger, bought)
    batch = [code(101, item=101)]
    if first == "row_by_row":
        await ledger.purchase(REPEATED)
        batch.insert(0, REPEATED)
    other.run("begin")
    other.purchase(100)
    second = asyncio.gather(*map(ledger.purchase, batch))

    async def is_decided_or_waits() -> bool:
        return second.done() or bool(query(WAITS, name=settings.db_name))

    await wait_until(is_decided_or_waits)
    other.run("commit")
    assert (await second)[-1].word == word
    assert query(SLOTS_OF_ANN) == [[10, 10]]


async def test_whoever_is_told_that_it_sold_has_a_row(
    settings: Settings, ledger: Ledger, other: Other, query: Query, wait_until: Wait
) -> None:
    """It loses the ninth slot, sees that the tenth is free, and that is taken before it looks
    again: a code that was open in one look and refused in the next is told of all the same.

    A code that has sold goes before it in the batch, so that this goes row by row from the start.
    """
    await buy(ledger, 8)
    await ledger.purchase(REPEATED)
    query("alter function verdicts rename to verdicts_at_once")
    query(SLOW_LOOK)
    other.run("select pg_advisory_lock(1)")
    other.run("begin")
    other.purchase(100)
    both = asyncio.gather(ledger.purchase(REPEATED), ledger.purchase(code(101, item=101)))

    async def waits_for(lock: str) -> bool:
        return both.done() or [lock] in query(WAITS, name=settings.db_name)

    await wait_until(lambda: waits_for("transactionid"))
    other.run("commit")
    await wait_until(lambda: waits_for("advisory"))
    other.purchase(102)
    other.run("select pg_advisory_unlock(1)")
    assert [decision.word for decision in await both] == ["sold", "limit"]
    assert query(SLOTS_OF_ANN) == [[10, 10]]
