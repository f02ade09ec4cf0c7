"""A purchase cut short: by a store that hangs, a client that leaves, a worker that is gone."""

import asyncio
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from flashsale.codes import CodeSigner
from flashsale.inventory import Inventory

from tests.contract.conftest import Fresh, checkout, sells, state
from tests.contract.site import CODE_KEYS, Site, Stores, eventually

pytestmark = pytest.mark.usefixtures("mended")


def test_a_valkey_that_hangs_is_done_without_or_worth_another_try(
    client: httpx.Client, stores: Stores, code: str, fresh: Fresh
) -> None:
    """Nobody is refused for it; and who was told that they bought has bought."""
    buyer, item = fresh()
    stores.signal_valkey(signal.SIGSTOP)
    try:
        for path, params in (
            ("/checkout", {"user_id": buyer, "id": str(item)}),
            ("/purchase", {"code": code}),
        ):
            reply = client.post(path, params=params)
            assert reply.status_code in (200, 503)
        assert reply.status_code == 503 or state(stores, code) == ["sold"]
    finally:
        stores.signal_valkey(signal.SIGCONT)
    eventually(lambda: sells(client, code))
    assert sells(client, checkout(client, buyer, item))


def test_a_purchase_that_postgresql_leaves_open_is_found_by_the_same_code(
    client: httpx.Client, stores: Stores, code: str, fresh: Fresh
) -> None:
    """It was asked and did not answer: nobody may say "failed", or sell the item again."""
    warm = checkout(client, *fresh())
    assert client.post("/purchase", params={"code": warm}).status_code == 200
    stores.signal_postgres(signal.SIGSTOP)
    try:
        reply = client.post("/purchase", params={"code": code})
        assert (reply.status_code, reply.json()) == (
            503,
            {
                "success": False,
                "error": "outcome_unknown",
                "message": "the outcome is not known yet, send the same code again",
            },
        )
    finally:
        stores.signal_postgres(signal.SIGCONT)

    eventually(lambda: sells(client, code))
    assert state(stores, code) == ["sold"]


def test_a_client_that_leaves_in_the_middle_of_a_purchase_has_bought(
    client: httpx.Client, site: Site, stores: Stores, code: str
) -> None:
    """The insert is held up by a lock until the client has gone."""
    lock = stores.connect()
    lock.run("begin")
    lock.run("lock table purchases in access exclusive mode")
    with socket.create_connection(("127.0.0.1", site.port)) as leaver:
        leaver.sendall(f"POST /purchase?code={code} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        eventually(lambda: stores.sql(waiting)[0][0] > 0)
    lock.run("rollback")
    lock.close()
    eventually(lambda: state(stores, code) == ["sold"])
    reply = client.post("/purchase", params={"code": code})
    assert reply.status_code == 200
    assert reply.json()["purchase_id"] == CodeSigner.parse(CODE_KEYS).read(code).purchase_id


def test_an_item_being_bought_is_busy_until_that_is_decided(
    client: httpx.Client, site: Site, fresh: Fresh
) -> None:
    """Its first buyer's worker has claimed it, and is gone; the same code goes on from there."""
    (first, item), (second, _) = fresh(), fresh()
    claimed, other = checkout(client, first, item), checkout(client, second, item)

    async def claim() -> str:
        inventory = Inventory(site.settings)
        verdict = await inventory.claim(CodeSigner.parse(CODE_KEYS).read(claimed))
        await inventory.close()
        return verdict.word

    assert asyncio.run(claim()) == "claimed"
    reply = client.post("/purchase", params={"code": other})
    assert (reply.status_code, reply.json()) == (
        503,
        {
            "success": False,
            "error": "busy",
            "message": "item is being bought, send the same code again",
        },
    )
    assert client.post("/purchase", params={"code": claimed}).status_code == 200
    assert client.post("/purchase", params={"code": other}).status_code == 409


def test_more_calls_than_may_wait_are_shed_at_once(
    stores: Stores, tmp_path: Path, fresh: Fresh
) -> None:
    """One call is under way, one may wait, and Valkey hangs: the rest is told to come back. In an
    environment of its own no call waits for another, so there nobody is."""
    narrow = {**stores.environment(), "WAITING_MAX": "1"}
    small = Site(tmp_path / "gateway", narrow, processes=1)
    small.start()
    try:
        stores.signal_valkey(signal.SIGSTOP)
        with ThreadPoolExecutor(8) as pool:
            target = f"{small.url}/checkout?user_id=a&id={fresh()[1]}"
            replies = list(pool.map(lambda _: httpx.post(target, timeout=20), range(8)))
    finally:
        stores.signal_valkey(signal.SIGCONT)
        small.stop()
    refused = [reply for reply in replies if reply.status_code != 200]
    assert {reply.status_code for reply in refused} <= {503}
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
    errors = [reply.json()["error"] for reply in refused]
    assert set(errors) <= {"overloaded", "unavailable"}
    assert errors.count("overloaded") >= (4 if small.runtime == "local" else 0)
