"""The audit finds what it is there to find: each promise broken by hand, in either store."""

from collections.abc import Callable
from typing import Any

import pytest
from flashsale.bootstrap import Service
from flashsale.inventory.script import sale_key

from tests.conftest import Rows

NONCE = "ab" * 16


TWICE = """
    drop index purchases_item_once;
    insert into purchases
    select gen_random_uuid(), state, sale, item, 'bob', 1, 'purchase_x'
    from purchases where item = 1
"""
ELEVEN = """
    drop index purchases_ten_a_buyer;
    insert into purchases
    select gen_random_uuid(), state, sale, 100 + n, 'eve', 1 + (n - 1) % 10, 'purchase_' || n
    from purchases, generate_series(1, 11) n where item = 1
"""
TORN = """
    alter table purchases drop constraint purchases_pkey;
    insert into purchases (code_id, state, sale, item, buyer)
    select code_id, 'void', sale, item, buyer from purchases where item = 1
"""
UNLEASED = "held without a lease, or leased without a hold"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing sells meanwhile: both looks may follow each other."""
    monkeypatch.setattr("flashsale.audit.SETTLE_SECONDS", 0.0)


async def broken(service: Service) -> dict[str, int]:
    findings = await service.audit.run(service.sales.current())
    return {finding.check: finding.violations for finding in findings if finding.violations}


async def sell(service: Service) -> None:
    for item in range(1, 6):
        session = await service.shop.checkout(buyer="ann", item=item)
        await service.shop.purchase(session.code)
    await service.background.settled()


async def test_a_sound_sale_has_no_findings(service: Service) -> None:
    await sell(service)
    assert await broken(service) == {}


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        (TWICE, "items sold more than once"),
        (ELEVEN, "buyers with more than ten items"),
        ("update purchases set purchase_id = 'purchase_4711' where item = 1",
         "purchase ids that are none of ours"),
        ("update purchases set purchase_id = 'purchase_00000000000000aa' where item in (1, 2)",
         "purchase ids of more than one code"),
        (TORN, "codes both sold and void"),
        ("delete from purchases where item = 1", "sold in Redis, not in the ledger"),
        ("update purchases set created_at = created_at + interval '2 days' where item = 1",
         "sold outside the hour"),
        ("delete from items where item = 1", "items sold that were never on sale"),
        ("delete from items where item = 9", "items missing from the sale"),
        ("drop index purchases_item_once", "unique indexes missing"),
    ],
)  # fmt: skip
async def test_damage_in_the_ledger_is_found(
    service: Service, query: Callable[..., Rows], damage: str, check: str
) -> None:
    await sell(service)
    for statement in damage.split(";"):
        query(statement)
    assert check in await broken(service)


@pytest.mark.parametrize(
    ("command", "check"),
    [
        (("HDEL", "claims", "1"), "sold in the ledger, free in Redis"),
        (("HSET", "claims", "9", f"sold {NONCE} bob"), "sold in Redis, not in the ledger"),
        (("HSET", "buyers", "ann", "0 3"), "a buyer's counts differ from the claims"),
        (("HSET", "claims", "9", f"held {NONCE} bob"), UNLEASED),
        (("ZADD", "pending", "1", "9"), "held long after the lease"),
    ],
)  # fmt: skip
async def test_damage_in_redis_is_found(
    service: Service, redis_client: Any, command: tuple[str, ...], check: str
) -> None:
    await sell(service)
    verb, key, *rest = command
    starts_at = service.sales.current().starts_at
    redis_client.execute_command(verb, sale_key(starts_at, key), *rest)
    if key == "pending":  # the test looks at every key's end
        redis_client.expire(sale_key(starts_at, key), 100)
    assert check in await broken(service)
