"""What the stores do for one sellout: `python -m tests.performance.stores [--plans]`.

Sells a whole private sale in three phases (checkouts, purchases, refusals), and says what each of
them cost in Valkey, on the wire and in PostgreSQL.
"""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from local.stores import StoreError
from tests.performance import arbiter, options, plans, stage
from tests.performance.client import ClientError
from tests.performance.cpu import Meter
from tests.performance.gate import Look
from tests.performance.generator import Load, checkouts, purchases, put
from tests.performance.table import table

ITEMS = 10_000
STATEMENT_WIDTH = 70
# How many of a phase's script calls each of its requests has a part in.
SCRIPTS = {"checkout": 1, "purchase": 2, "refusal": 1}


@dataclass(frozen=True)
class Phase:
    """The load of requests of one kind; CPU in seconds by server."""

    name: str
    load: Load
    gate: Look
    work: arbiter.Work
    cpu_seconds: dict[str, float]

    @property
    def requests(self) -> int:
        return self.load.requests

    def each(self, amount: float) -> float:
        """An amount's part of one request."""
        return amount / self.requests

    @property
    def batch(self) -> float:
        """Mean entries of a script call."""
        return self.requests * SCRIPTS[self.name] / max(self.gate.script_calls, 1)

    @property
    def rows(self) -> int:
        """Rows written to the ledger."""
        return sum(self.work.rows_of(name) for name in ("attempts", "purchases"))


class Sellout:
    """A private service and the looks at its stores."""

    def __init__(self, stores: stage.Stores, served: stage.Served, connections: int) -> None:
        self._stores = stores
        self._served = served
        self._connections = connections
        self._redis = stores.redis()
        self._watch = arbiter.Watch(stores.sql())
        self.phases: list[Phase] = []

    def remember(self, sales: int) -> None:
        """Let there have been sales before, all sold out; a checkpoint follows, so that each page
        that is touched next goes to the WAL as a whole."""
        with self._stores.sql() as sql:
            for turn in range(1, sales + 1):
                plans.add_sold(sql, starts_at=turn * plans.SALE_SECONDS)
            sql.run("vacuum analyze purchases")
            sql.run("checkpoint")

    def run(self) -> None:
        """Sell everything once, and refuse as often."""
        address = self._served.address
        items = random.sample(range(1, ITEMS + 1), ITEMS)
        load = self._phase("checkout", checkouts(address, items), keep=True)
        load.expect(200)
        self._phase("purchase", purchases(address, load.codes())).expect(200)
        self._phase("refusal", checkouts(address, items)).expect(409)

    def _phase(self, name: str, requests: list[bytes], *, keep: bool = False) -> Load:
        before = Look.at(self._redis)
        self._watch.begin()
        with Meter({"server": self._served.pid, **self._stores.roots}) as meter:
            load = put(self._served.address, requests, connections=self._connections, keep=keep)
        gate = Look.at(self._redis).since(before)
        self.phases.append(Phase(name, load, gate, self._watch.end(), meter.seconds))
        return load


def report(phases: Sequence[Phase]) -> str:
    """All tables of a sellout."""
    rows: list[list[object]] = []

    def row(what: str, figures: list[float]) -> None:
        rows.append([what, *figures])

    for part in ("server", "valkey", "postgresql"):
        row(f"{part} CPU us", [one.each(one.cpu_seconds[part] * 1e6) for one in phases])
    row("bytes of HTTP to us", [one.each(one.load.bytes_sent) for one in phases])
    row("bytes of HTTP from us", [one.each(one.load.bytes_received) for one in phases])
    row("script calls", [one.each(one.gate.script_calls) for one in phases])
    row("entries a script call", [one.batch for one in phases])
    row("us in scripts", [one.each(one.gate.script_us) for one in phases])
    row("bytes to Valkey", [one.each(one.gate.bytes_in) for one in phases])
    row("bytes from Valkey", [one.each(one.gate.bytes_out) for one in phases])
    row("bytes of its log", [one.each(one.gate.log_bytes) for one in phases])
    row("commits", [one.each(one.work.commits) for one in phases])
    row("rows a commit", [one.rows / max(one.work.commits, 1) for one in phases])
    row("WAL bytes", [one.each(one.work.wal_bytes) for one in phases])
    row("of them page images", [one.each(one.work.image_bytes) for one in phases])
    parts = [table(["of one", *(one.name for one in phases)], rows)]
    for phase in phases:
        parts += [_commands(phase), _statements(phase), _records(phase)]
    pair = sum(one.work.wal_bytes for one in phases[:2]) / phases[1].requests
    parts.append(f"WAL of a pair, its attempt included: {pair:,.0f} bytes")
    return "\n\n".join(parts)


def _commands(phase: Phase) -> str:
    ordered = sorted(phase.gate.commands.items(), key=lambda one: -one[1][1])
    return table(
        [f"Valkey, {phase.name}s", "calls", "calls each", "us a call", "us each"],
        [
            [name, calls, phase.each(calls), us / calls, phase.each(us)]
            for name, (calls, us) in ordered
        ],
    )


def _statements(phase: Phase) -> str:
    return table(
        [f"PostgreSQL, {phase.name}s", "calls", "rows", "plan us", "run us", "us each", "WAL each"],
        [
            [
                ("  inside: " if one.inner else "") + one.text[:STATEMENT_WIDTH],
                one.calls,
                one.rows,
                one.plan_us,
                one.run_us,
                phase.each((one.plan_us + one.run_us) * one.calls),
                phase.each(one.wal_bytes),
            ]
            for one in phase.work.statements
            if one.calls * 100 > phase.work.commits  # not what the schedule does meanwhile
        ],
    )


def _records(phase: Phase) -> str:
    ordered = sorted(phase.work.records.items(), key=lambda one: -sum(one[1][1:]))
    return table(
        [f"WAL, {phase.name}s", "records", "bytes each", "page images each"],
        [
            [kind, count, phase.each(plain), phase.each(images)]
            for kind, (count, plain, images) in ordered[:8]
        ],
    )


def as_json(phase: Phase) -> dict[str, object]:
    """A phase for programs: amounts are of all its requests together."""
    load = phase.load
    return {
        "name": phase.name,
        "requests": load.requests,
        "http_bytes": {"in": load.bytes_sent, "out": load.bytes_received},
        "cpu_seconds": {**phase.cpu_seconds, "generator": load.cpu_seconds},
        "valkey": asdict(phase.gate),
        "postgresql": asdict(phase.work),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 if something could not be measured."""
    parser = options.parser("stores", __doc__)
    parser.add_argument("--history", type=int, default=0, help="sales sold out before (0)")
    parser.add_argument("--plans", action="store_true", help="only the plans of all SQL")
    parser.add_argument(
        "--attempts", type=int, default=1_000_000, help="rows before the plans are made"
    )
    asked = parser.parse_args(arguments)
    try:
        if asked.plans:
            print(plans.all_plans(attempts=asked.attempts))
            return 0
        with (
            stage.private_stores(arbiter.OPTIONS) as stores,
            stage.our_service(stores, processes=asked.processes) as served,
        ):
            sellout = Sellout(stores, served, asked.connections)
            sellout.remember(asked.history)
            sellout.run()
    except (ClientError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    phases = sellout.phases
    print(json.dumps([as_json(one) for one in phases]) if asked.json else report(phases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
