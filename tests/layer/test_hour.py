"""The hour's edge, on both sides and by clocks that disagree."""

import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator

import libfaketime
import pytest
import redis
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.codes import CodeSigner
from flashsale.config import Settings
from flashsale.errors import CodeExpired, SaleEnded, SaleNotReady
from flashsale.sales import Reconciled

from local.stores import Postgres, Valkey
from tests.conftest import CODE_KEYS, Rows
from tests.layer.clocks import JUST, Clocks

Query = Callable[..., Rows]
SIGNER = CodeSigner.parse(CODE_KEYS)
EDGE = 1_800_000_000  # 08:00:00 UTC
BEFORE, AFTER = EDGE - 3_600, EDGE  # the sales that meet there


@pytest.fixture(scope="module")
def faked_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Valkey, Clocks]]:
    clocks = Clocks(tmp_path_factory.mktemp("clocks") / "clock")
    clocks.set(EDGE - 60)
    _, preload = libfaketime.get_reload_information()
    server = Valkey(
        tmp_path_factory.mktemp("stores") / "valkey",
        environment={**preload, "FAKETIME_TIMESTAMP_FILE": str(clocks.file)},
        options={"hz": "250"},
    )
    server.start()
    with redis.Redis.from_url(server.url) as client:
        clocks.client = client
        yield server, clocks
    server.discard()


@pytest.fixture
def clocks(faked_valkey: tuple[Valkey, Clocks]) -> Clocks:
    return faked_valkey[1]


@pytest.fixture
def client(clocks: Clocks) -> Iterator["redis.Redis"]:
    assert clocks.client
    clocks.set(EDGE - 60)
    clocks.client.flushall()
    yield clocks.client
    assert all(clocks.client.ttl(key) > 0 for key in clocks.client.scan_iter())


@pytest.fixture
async def service(
    postgres: Postgres,
    faked_valkey: tuple[Valkey, Clocks],
    database: str,
    client: "redis.Redis",
) -> AsyncIterator[Service]:
    """Sales of an hour, the next one prepared ten seconds ahead; none is open yet."""
    valkey, clocks = faked_valkey
    settings = Settings(
        redis_addr=valkey.address,
        redis_password=valkey.password,
        db_host=postgres.host,
        db_port=postgres.port,
        db_user=postgres.user,
        db_password=postgres.password,
        db_name=database,
        code_keys=CODE_KEYS,
        items_per_sale=50,
        prepare_ahead_seconds=10,
        rate_buyer=0,
    )
    made = bootstrap.build(settings, clock=lambda: clocks.service)
    yield made
    await made.background.settled()
    assert made.shop.degraded.total == 0
    await made.close()


async def checkout(service: Service, *, item: int = 7, buyer: str = "ann") -> str:
    return (await service.shop.checkout(buyer=buyer, item=item)).code


def sold(query: Query) -> list[tuple[int, str]]:
    """The sale and the buyer of what was sold."""
    rows = query(
        "select extract(epoch from sale)::bigint, buyer from purchases where state = 'sold'"
        " order by sale, buyer"
    )
    return [(sale, buyer) for sale, buyer in rows]


async def test_a_code_from_before_the_edge_never_sells_after_it(
    service: Service, clocks: Clocks, query: Query
) -> None:
    """Neither in its own sale nor in the next, and the next one sells the item to another."""
    clocks.set(EDGE - 2)
    text = await checkout(service)
    clocks.set(EDGE)
    for _ in range(2):
        with pytest.raises(SaleEnded):
            await service.shop.purchase(text)
    assert await service.shop.purchase(await checkout(service, buyer="bob"))
    assert sold(query) == [(AFTER, "bob")]


async def test_the_last_moment_sells_in_the_sale_that_ends(
    service: Service, clocks: Clocks, query: Query
) -> None:
    clocks.set(EDGE - JUST)
    text = await checkout(service)
    purchase_id = await service.shop.purchase(text)
    await service.background.settled()
    clocks.set(EDGE + 1_000)
    assert await service.shop.purchase(text) == purchase_id
    assert sold(query) == [(BEFORE, "ann")]


async def test_a_claim_from_before_the_edge_may_commit_after_it_in_its_own_sale(
    service: Service, clocks: Clocks, query: Query
) -> None:
    clocks.set(EDGE - JUST)
    text = await checkout(service)
    assert (await service.inventory.claim(SIGNER.read(text))).word == "claimed"
    clocks.set(EDGE + 1)
    assert await service.shop.purchase(text)
    assert sold(query) == [(BEFORE, "ann")]


async def test_a_code_lives_fifteen_minutes_or_to_the_end_of_its_sale(
    service: Service, clocks: Clocks
) -> None:
    for left, life in ((3_600, 900), (901, 900), (900, 900), (899, 899), (1, 1)):
        clocks.set(EDGE - left)
        session = await service.shop.checkout(buyer="ann", item=7)
        assert session.expires_at == EDGE - left + life
        assert SIGNER.read(session.code).expires_at == session.expires_at


async def test_a_code_is_good_to_its_last_moment(service: Service, clocks: Clocks) -> None:
    clocks.set(BEFORE)
    used, late = await checkout(service, item=1), await checkout(service, item=2)
    clocks.set(BEFORE + 900 - JUST)
    assert await service.shop.purchase(used)
    clocks.set(BEFORE + 900)
    with pytest.raises(CodeExpired):
        await service.shop.purchase(late)


async def test_a_prepared_sale_is_there_from_its_first_moment_and_not_before(
    service: Service, clocks: Clocks
) -> None:
    clocks.set(EDGE - 11)
    assert [sale.starts_at for sale in await service.sales.open_due()] == [BEFORE]
    clocks.set(EDGE - 10)
    assert [sale.starts_at for sale in await service.sales.open_due()] == [BEFORE, AFTER]
    clocks.set(EDGE - JUST)
    assert SIGNER.read(await checkout(service)).starts_at == BEFORE
    text = SIGNER.mint(starts_at=AFTER, item=7, expires_at=EDGE + 900, buyer="ann")
    with pytest.raises(SaleNotReady):
        await service.shop.purchase(text)
    clocks.set(EDGE)
    assert await service.shop.purchase(text)
    assert SIGNER.read(await checkout(service, item=8)).starts_at == AFTER


@pytest.mark.parametrize("is_prepared", [True, False])
@pytest.mark.parametrize(
    ("at", "skew", "sale"),
    [
        (EDGE - JUST, +5, BEFORE),
        (EDGE, -5, AFTER),
    ],
)
async def test_redis_s_clock_says_which_sale_is_on(
    service: Service,
    clocks: Clocks,
    query: Query,
    at: float,
    skew: float,
    sale: int,
    is_prepared: bool,
) -> None:
    """The service's clock is five seconds ahead or behind, around the edge."""
    if is_prepared:
        clocks.set(EDGE - 8)
        await service.sales.open_due()
    clocks.set(at, skew=skew)
    text = await checkout(service)
    assert SIGNER.read(text).starts_at == sale
    assert await service.shop.purchase(text)
    assert sold(query) == [(sale, "ann")]
    await service.background.settled()
    stock = await service.sales.stock()
    assert (stock.sale.starts_at, stock.sold) == (sale, 1)
    assert query("select extract(epoch from sale)::bigint, outcome from attempts") == [
        [sale, "available"]
    ]


async def test_a_claim_abandoned_before_the_edge_is_settled_after_it(
    service: Service, clocks: Clocks
) -> None:
    clocks.set(EDGE - 1)
    text = await checkout(service)
    await service.inventory.claim(SIGNER.read(text))
    clocks.set(EDGE + 60)
    assert await service.sales.reconcile() == Reconciled(confirmed=0, released=1)
    with pytest.raises(SaleEnded):
        await service.shop.purchase(text)


async def test_redis_forgets_a_sale_two_hours_after_its_end_and_the_ledger_never(
    service: Service, clocks: Clocks, client: "redis.Redis"
) -> None:
    clocks.set(BEFORE)
    text = await checkout(service)
    purchase_id = await service.shop.purchase(text)
    await service.background.settled()
    clocks.set(EDGE + 7_200 - JUST)
    assert len(list(client.scan_iter(f"*{{{BEFORE}}}*"))) == 3
    clocks.set(EDGE + 7_201)
    assert await service.shop.purchase(text) == purchase_id
    late = SIGNER.mint(starts_at=BEFORE, item=8, expires_at=EDGE, buyer="ann")
    with pytest.raises(SaleEnded):
        await service.shop.purchase(late)


async def test_buyers_may_buy_ten_in_each_sale(service: Service, clocks: Clocks) -> None:
    for at in (EDGE - 1, EDGE):
        clocks.set(at)
        for item in range(1, 11):
            assert await service.shop.purchase(await checkout(service, item=item))


def test_a_sale_has_one_id_whoever_names_it(service: Service) -> None:
    sale = service.sales.calendar.sale_at(EDGE + 1)
    assert sale == service.sales.calendar.sale_starting(EDGE)
    assert sale.id == dataclasses.replace(sale, total=1).id
    assert sale.id.startswith(f"sale_{EDGE}_")
    assert len(sale.id) == len("sale_1640995200_a1b2c3d4")
