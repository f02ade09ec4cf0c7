"""How PostgreSQL runs each statement of the ledger on full tables, those inside functions too."""

import asyncio
import importlib.resources
import re
import secrets
import time
from collections.abc import Iterable, Iterator

import pg8000.native
from flashsale.config import Settings
from flashsale.ledger.migrate import migrate
from flashsale.ledger.session import sql

from tests.performance import stage

SALES = 5
SOLD = 10_000
BATCH = 50
WIDTH = 160
SALE_SECONDS = 3_600
# auto_explain shows every statement as EXPLAIN (ANALYZE, BUFFERS) would, and what functions run.
SHOW = (
    "load 'auto_explain'",
    "set auto_explain.log_min_duration = 0",
    "set auto_explain.log_analyze = on",
    "set auto_explain.log_buffers = on",
    "set auto_explain.log_nested_statements = on",
    "set client_min_messages = log",
)

Parameters = dict[str, str | int]


def all_plans(*, attempts: int) -> str:
    """Fill a private database with `attempts` rows and five sales, sold out; then the plans."""
    with stage.private_stores() as stores:
        known = {name.lower(): value for name, value in stores.environment.items()}
        asyncio.run(
            migrate(
                Settings(
                    db_host=known["db_host"],
                    db_port=int(known["db_port"]),
                    db_password=known["db_password"],
                )
            )
        )
        connection = stores.sql()
        try:
            starts_at = int(time.time()) // SALE_SECONDS * SALE_SECONDS
            fill(connection, starts_at=starts_at, attempts=attempts)
            for setting in SHOW:
                connection.run(setting)
            return "\n\n".join(_plans(connection, parameters(starts_at)))
        finally:
            connection.close()


def fill(connection: pg8000.native.Connection, *, starts_at: int, attempts: int) -> None:
    """Sales that are sold out, the last of them at `starts_at`, and attempts at that one."""
    connection.run(sql("keep_attempts"), around=starts_at, kept_days=30)
    for back in range(SALES):
        start = starts_at - back * SALE_SECONDS
        connection.run(
            sql("open_sale"),
            id=f"sale_{start}_{secrets.token_hex(4)}",
            starts_at=start,
            ends_at=start + SALE_SECONDS,
            total=SOLD,
            names=",".join(f"Item {number}" for number in range(1, SOLD + 1)),
        )
        add_sold(connection, starts_at=start)
    add_attempts(connection, starts_at=starts_at, attempts=attempts)
    connection.run("vacuum analyze")


def add_sold(connection: pg8000.native.Connection, *, starts_at: int) -> None:
    """All purchases of a sale that is sold out."""
    connection.run(
        "insert into purchases (code_id, state, sale, item, buyer, slot, purchase_id)"
        " select gen_random_uuid(), 'sold', to_timestamp(cast(:start as bigint)), n,"
        " 'buyer-' || n % 1000, n / 1000 % 10 + 1,"
        " 'purchase_' || substr(md5(cast(:start as text) || n), 1, 16)"
        " from generate_series(1, cast(:sold as integer)) n",
        sold=SOLD,
        start=starts_at,
    )


def add_attempts(connection: pg8000.native.Connection, *, starts_at: int, attempts: int) -> None:
    """Attempts at a sale, spread over the ten minutes before now, in the order of their time."""
    connection.run(
        "insert into attempts (at, code_id, sale, buyer, item, outcome)"
        " select now() - interval '10 minutes' * (1 - n / cast(:attempts as float8)),"
        " gen_random_uuid(), to_timestamp(cast(:start as bigint)), 'buyer-' || n % 100000,"
        " n % 10000 + 1, 'sold_out' from generate_series(1, cast(:attempts as integer)) n",
        attempts=attempts,
        start=starts_at,
    )


def parameters(starts_at: int) -> dict[str, Parameters]:
    """For each statement what it is asked, batches with BATCH rows."""
    new_sale = starts_at + SALE_SECONDS
    turns = range(1, BATCH + 1)
    sale: Parameters = {"starts_at": starts_at}
    batch: Parameters = {
        "codes": _joined(secrets.token_hex(16) for _ in turns),
        "items": _joined(turns),
        "buyers": _joined(f"buyer-{turn % 10}" for turn in turns),
        "sales": _joined(starts_at for _ in turns),
    }
    sells = {
        **batch,
        "sales": _joined(new_sale for _ in turns),
        "purchase_ids": _joined(f"purchase_{secrets.token_hex(8)}" for _ in turns),
    }
    attempts = {
        **batch,
        "at_ms": _joined(int(time.time() * 1_000) for _ in turns),
        "outcomes": _joined("available" for _ in turns),
    }
    names = _joined(f"Item {number}" for number in range(1, SOLD + 1))
    times: Parameters = {"starts_at": new_sale, "ends_at": new_sale + SALE_SECONDS}
    return {
        "audit_sale": sale,
        "bury_attempt": {**sale, "entry_id": "1-1", "fields": "{}", "reason": "malformed"},
        "count_sold": sale,
        "durability": {},
        "fence": batch,
        "keep_attempts": {"around": starts_at, "kept_days": 30},
        "lock_opening": sale,
        "look_up": batch,
        "open_sale": {**times, "id": "sale_of_the_plans", "total": SOLD, "names": names},
        "purchase": sells,
        "record_attempts": attempts,
        "record_attempts_again": attempts,
        "sold_in_sale": sale,
        "sold_to_buyer": {**sale, "buyer": "buyer-1"},
        "unlock_opening": sale,
    }


def statements() -> list[str]:
    """The names of the files beside the migrations."""
    folder = importlib.resources.files("flashsale.ledger") / "sql"
    return sorted(file.name.removesuffix(".sql") for file in folder.iterdir())


def _plans(connection: pg8000.native.Connection, asked: dict[str, Parameters]) -> Iterator[str]:
    for name in statements():
        yield f"=== {name}, {BATCH} rows where it takes a batch"
        if name not in asked:
            yield "no parameters are known for it: add them to tests/performance/plans.py"
            continue
        connection.run("begin")
        connection.notices.clear()
        connection.run(sql(name), **asked[name])
        connection.run("rollback")  # some plans are told only when their statement is closed
        yield from distinct(notice[b"M"].decode() for notice in connection.notices)


def distinct(messages: Iterable[str]) -> list[str]:
    """Each plan once, in order, without comments and values, and with the last one's times: a
    foreign key is looked up for each row."""
    plans: dict[str, str] = {}
    for message in messages:
        if not message.startswith("duration"):
            continue
        lines = [line.rstrip() for line in message.splitlines() if line.strip()]
        shown = [
            line if len(line) <= WIDTH else f"{line[:WIDTH]}..."
            for line in lines
            if not line.startswith(("--", "Query Parameters"))
        ]
        statement = message.partition("Query Text:")[2].partition("\n  ->")[0]
        plans[re.sub(r"\(cost.*|Query Parameters.*|[0-9]+", "", statement)] = "\n".join(shown)
    return list(plans.values())


def _joined(values: Iterable[object]) -> str:
    return ",".join(map(str, values))
