"""One connection to PostgreSQL: it heals, and says truly whether something was done."""

import asyncio
import dataclasses
import socket
import traceback
from collections.abc import Awaitable, Callable, Iterator

import pytest
from flashsale.config import Settings
from flashsale.errors import Fault, StoreDown, StoreSilent
from flashsale.ledger import Ledger

from tests.conftest import Rows
from tests.layer.conftest import STARTS_AT, code

Query = Callable[..., Rows]
HANDSHAKES_FAIL = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
WaitUntil = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
def terminate(query: Query) -> Callable[[], int]:
    """End every backend of the service, as a server does that goes down; return how many."""

    def terminate() -> int:
        ended = query(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and application_name like 'flashsale %'"
        )
        assert all(gone for (gone,) in ended)
        return len(ended)

    return terminate


@pytest.fixture
def locked(query: Query) -> Iterator[None]:
    """Somebody holds the whole table of purchases."""
    query("begin")
    query("lock table purchases in access exclusive mode")
    yield
    query("rollback")


@pytest.fixture
def is_waiting(query: Query) -> Callable[[], Awaitable[bool]]:
    async def is_waiting() -> bool:
        # Inside a transaction the view stands still unless told otherwise.
        query("select pg_stat_clear_snapshot()")
        return bool(
            query(
                "select from pg_stat_activity where wait_event_type = 'Lock'"
                " and application_name = 'flashsale purchases' and datname = current_database()"
            )
        )

    return is_waiting


async def test_a_backend_that_was_ended_while_idle_is_replaced_unnoticed(
    ledger: Ledger, terminate: Callable[[], int]
) -> None:
    for number in range(1, 4):
        assert (await ledger.purchase(code(number, item=number))).word == "sold"
        assert await ledger.count_sold(STARTS_AT) is None
        assert terminate() == 2


async def test_also_for_a_statement_that_it_never_ran(
    ledger: Ledger, terminate: Callable[[], int]
) -> None:
    assert await ledger.sold_in_sale(STARTS_AT) == []
    terminate()
    assert await ledger.count_sold(STARTS_AT) is None
    terminate()
    assert (await ledger.look_up(code(1, item=1))).word == "open"


async def test_a_backend_that_is_ended_in_the_middle_is_asked_once_more(
    ledger: Ledger,
    query: Query,
    terminate: Callable[[], int],
    is_waiting: Callable[[], Awaitable[bool]],
    wait_until: WaitUntil,
) -> None:
    await ledger.purchase(code(1, item=1))
    query("begin")
    query("lock table purchases in access exclusive mode")
    asked = asyncio.ensure_future(ledger.purchase(code(2, item=2)))
    await wait_until(is_waiting)
    terminate()
    await wait_until(is_waiting)
    query("rollback")
    assert (await asked).word == "sold"
    assert query("select count(*) from purchases") == [[2]]


@HANDSHAKES_FAIL
@pytest.mark.usefixtures("handshakes_fail")
async def test_if_it_can_t_be_asked_again_the_outcome_is_unknown(
    ledger: Ledger,
    query: Query,
    run_sql: Query,
    database: str,
    terminate: Callable[[], int],
    is_waiting: Callable[[], Awaitable[bool]],
    wait_until: WaitUntil,
) -> None:
    await ledger.purchase(code(1, item=1))
    query("begin")
    query("lock table purchases in access exclusive mode")
    asked = asyncio.ensure_future(ledger.purchase(code(2, item=2)))
    await wait_until(is_waiting)
    run_sql(f"alter database {database} allow_connections false")
    terminate()
    with pytest.raises(StoreSilent):
        await asked
    with pytest.raises(StoreDown):
        await ledger.purchase(code(3, item=3))
    run_sql(f"alter database {database} allow_connections true")
    query("rollback")
    assert (await ledger.purchase(code(2, item=2))).word == "sold"


@pytest.mark.usefixtures("locked")
async def test_a_statement_that_takes_too_long_is_undone_and_the_connection_kept(
    settings: Settings, query: Query
) -> None:
    ledger = Ledger(dataclasses.replace(settings, db_timeout_ms=50))
    with pytest.raises(StoreDown, match="57014"):
        await ledger.purchase(code(1, item=1))
    backends = "select pid from pg_stat_activity where application_name = 'flashsale purchases'"
    before = query(backends)
    query("rollback")
    assert query("select count(*) from purchases") == [[0]]
    assert (await ledger.purchase(code(1, item=1))).word == "sold"
    assert query(backends) == before
    await ledger.close()


async def test_a_server_that_is_not_there_did_nothing(deserted: Settings) -> None:
    ledger = Ledger(deserted)
    for call in (ledger.purchase(code(1, item=1)), ledger.count_sold(STARTS_AT)):
        with pytest.raises(StoreDown):
            await call
    await ledger.close()


@HANDSHAKES_FAIL
@pytest.mark.usefixtures("handshakes_fail")
async def test_a_wrong_password_is_told_and_not_shown(settings: Settings) -> None:
    ledger = Ledger(dataclasses.replace(settings, db_password="canary"))
    with pytest.raises(StoreDown, match="28P01") as caught:
        await ledger.purchase(code(1, item=1))
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    await ledger.close()


@HANDSHAKES_FAIL
@pytest.mark.usefixtures("handshakes_fail")
async def test_a_server_that_never_answers_did_nothing_that_we_asked_for(
    settings: Settings,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = dataclasses.replace(settings, db_port=server.getsockname()[1], db_timeout_ms=50)
        ledger = Ledger(silent)
        with pytest.raises(StoreDown):
            await ledger.purchase(code(1, item=1))
        await ledger.close()


async def test_a_fault_tells_no_value(ledger: Ledger) -> None:
    with pytest.raises(Fault) as caught:
        await ledger.purchase(code(1, item=10**12, buyer="canary"))
    assert "canary" not in str(caught.value)
    assert str(10**12) not in str(caught.value)


async def test_a_caller_that_gives_up_at_any_moment_leaves_nobody_a_wrong_answer(
    settings: Settings,
) -> None:
    """While it connects, logs in, prepares or waits for the rows."""
    gave_up = 0
    for moment in range(40):
        ledger = Ledger(settings)
        asked = asyncio.ensure_future(ledger.count_sold(STARTS_AT))
        await asyncio.sleep(moment / 2_000)
        gave_up += asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert await ledger.sold_in_sale(STARTS_AT) == []
        assert set(await ledger.durability()) == {"fsync", "full_page_writes", "synchronous_commit"}
        assert await ledger.count_sold(STARTS_AT) is None
        await ledger.close()
    assert gave_up
