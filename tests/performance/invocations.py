"""What an invocation costs in Lambda: `python -m tests.performance.invocations`.

Each function in a fresh process that imports it, answers once, and then goes on, one event at a
time, on private stores: the cold start, the CPU of a warm invocation, and its round trips.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flashsale.codes import CodeSigner

from local.stores import StoreError
from tests.performance import stage
from tests.performance.gate import Look
from tests.performance.table import table

LAYER = stage.ROOT / "layers/flashsale/python"
KEYS = "1:" + "5a" * 32
REQUESTS = {
    "checkout": "POST /checkout",
    "purchase": "POST /purchase",
    "stats": "GET /stats",
    "health": "GET /health",
    "items": "GET /items",
}
# Runs in a process of its own: only what Lambda's runtime would have imported comes before.
PROGRAM = """
import json, os, sys, time
began = time.perf_counter()
sys.path.insert(0, f"functions/{sys.argv[1]}")
import app
imported = time.perf_counter()
events = [json.loads(line) for line in sys.stdin]
start = time.perf_counter()
statuses = [app.handler(events[0], None)["statusCode"]]
answered, cpu = time.perf_counter(), time.process_time()
statuses += [app.handler(event, None)["statusCode"] for event in events[1:]]
spent = time.process_time() - cpu
print(json.dumps({
    "import_ms": (imported - began) * 1e3, "first_ms": (answered - start) * 1e3,
    "warm_us": spent / max(1, len(events) - 1) * 1e6, "statuses": sorted(set(statuses)),
}))
"""


@dataclass(frozen=True)
class Cost:
    """One function. The cold start is the median of several: import, then the first answer, which
    connects to the stores; `warm_us` is the CPU of a warm invocation, `scripts` and `commits` are
    its round trips to Redis and to PostgreSQL."""

    name: str
    import_ms: float
    first_ms: float
    warm_us: float
    scripts: float
    commits: float

    @property
    def cold_ms(self) -> float:
        return self.import_ms + self.first_ms


class Functions:
    """Runs functions as Lambda does, with the settings of a private pair of stores."""

    def __init__(self, stores: stage.Stores, *, mode: str) -> None:
        self._stores = stores
        self._signer = CodeSigner.parse(KEYS)
        self._environment = {
            **os.environ,
            **stores.environment,
            "PYTHONPATH": str(LAYER),
            "CODE_KEYS": KEYS,
            "SALE_SECONDS": str(stage.SALE_SECONDS),
            "ATTEMPTS_MODE": mode,
            "LOG_FILE": str(stores.folder / "log"),
        }
        self._starts_at = 0
        self._items = iter(range(1, 10_001))

    def open(self) -> None:
        """Make the tables and the sale."""
        for name in ("migrate", "create_sale"):
            program = f"import sys; sys.path.insert(0, 'functions/{name}'); import app;"
            self._run(program + "app.handler({}, None)")
        with self._stores.sql() as sql:
            ((self._starts_at,),) = sql.run(
                "select extract(epoch from max(starts_at))::bigint from sales"
            )

    def measure(self, name: str, *, colds: int, warms: int) -> Cost:
        """Start a function `colds` times, and let the last one answer `warms` times more."""
        cold = [self._start(name, 1) for _ in range(colds)]
        with self._stores.redis() as client, self._stores.sql() as sql:
            sql.run("create extension if not exists pg_walinspect")
            before, since = Look.at(client), _flushed(sql)
            warm = self._start(name, 1 + warms)
            work = Look.at(client).since(before)
            commits = _commits(sql, since)
        return Cost(
            name,
            statistics.median(one["import_ms"] for one in cold),
            statistics.median(one["first_ms"] for one in cold),
            warm["warm_us"],
            work.script_calls / (1 + warms),
            commits / (1 + warms),
        )

    def _start(self, name: str, times: int) -> dict[str, Any]:
        events = "\n".join(json.dumps(self._event(name)) for _ in range(times))
        told: dict[str, Any] = json.loads(self._run(PROGRAM, name, events=events))
        if told["statuses"] != [200]:
            raise StoreError(f"{name} answered {told['statuses']}")
        return told

    def _event(self, name: str) -> dict[str, Any]:
        route = REQUESTS[name]
        method, _, path = route.partition(" ")
        return {
            "version": "2.0",
            "routeKey": route,
            "rawPath": path,
            "rawQueryString": self._query(name),
            "headers": {"host": "example.com"},
            "requestContext": {"http": {"method": method, "path": path}, "requestId": "id"},
            "isBase64Encoded": False,
        }

    def _query(self, name: str) -> str:
        if name not in ("checkout", "purchase"):
            return ""
        item = next(self._items)
        if name == "checkout":
            return f"user_id=buyer{item}&id={item}"
        ends_at = self._starts_at + stage.SALE_SECONDS
        code = self._signer.mint(
            starts_at=self._starts_at, item=item, expires_at=ends_at, buyer=f"buyer{item}"
        )
        return f"code={code}"

    def _run(self, program: str, *arguments: str, events: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=stage.ROOT,
            env=self._environment,
            input=events,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StoreError(f"a function failed: {done.stderr[-2_000:]}")
        return done.stdout


def third_party(name: str) -> set[str]:
    """The packages of others that importing a function imports, by their top-level names."""
    program = (
        "import sys, pathlib; before = set(sys.modules);"
        f"sys.path.insert(0, 'functions/{name}'); import app;"
        "found = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "print(*(m for m in found if 'site-packages' in"
        " (getattr(sys.modules.get(m), '__file__', None) or '')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=stage.ROOT,
        env={**os.environ, "PYTHONPATH": str(LAYER)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def report(costs: Sequence[Cost]) -> str:
    head = "function,import ms,first ms,cold ms,warm CPU us,scripts,commits".split(",")
    rows = [
        [
            cost.name,
            cost.import_ms,
            cost.first_ms,
            cost.cold_ms,
            cost.warm_us,
            cost.scripts,
            cost.commits,
        ]
        for cost in costs
    ]
    return table(head, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 2 if it could not run."""
    parser = argparse.ArgumentParser(prog="invocations", description=__doc__)
    parser.add_argument("--colds", type=int, default=7, help="cold starts of each, %(default)s")
    parser.add_argument("--warms", type=int, default=300, help="warm invocations, %(default)s")
    parser.add_argument("--mode", choices=("ledger", "stream"), default="stream", help="attempts")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    options = parser.parse_args(arguments)
    try:
        with stage.private_stores() as stores:
            functions = Functions(stores, mode=options.mode)
            functions.open()
            costs = [
                functions.measure(name, colds=options.colds, warms=options.warms)
                for name in REQUESTS
            ]
    except StoreError as error:
        print(f"invocations: {error}", file=sys.stderr)
        return 2
    print(json.dumps([asdict(one) for one in costs]) if options.json else report(costs))
    return 0


def _flushed(sql: Any) -> str:
    ((lsn,),) = sql.run("select pg_current_wal_flush_lsn()::text")
    return str(lsn)


def _commits(sql: Any, since: str) -> int:
    """Transactions that wrote something; not by their numbers, of which one may take several.

    pg_walinspect wants a record to begin with, so this writes one itself, which is not counted.
    """
    sql.run("select pg_logical_emit_message(true, 'flashsale', 'the end of a measurement')")
    ((count,),) = sql.run(
        "select coalesce(sum(count), 0)::integer from pg_get_wal_stats("
        "cast(:since as pg_lsn), cast(:until as pg_lsn), true)"
        " where \"resource_manager/record_type\" = 'Transaction/COMMIT'",
        since=since,
        until=_flushed(sql),
    )
    return int(count) - 1


if __name__ == "__main__":
    sys.exit(main())
