"""What a crowded sale costs: `python -m tests.performance.attempts`.

Two private services take turns: one with an empty ledger, one whose current sale has had a million
attempts. The same checkouts and refusals to both, and the CPU that a request takes.
"""

import json
import random
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from local.stores import StoreError
from tests.performance import options, plans, stage
from tests.performance.client import ClientError
from tests.performance.cpu import Meter
from tests.performance.floor import PARTS, Figures
from tests.performance.generator import checkouts, put
from tests.performance.table import table

ITEMS = 10_000
SOLD = 2_000
SIZES = """
select sum(pg_relation_size(inhrelid)) / 1e6, sum(pg_indexes_size(inhrelid)) / 1e6
from pg_inherits where inhparent = 'attempts'::regclass
"""


class Side:
    """One of the two services, and its figures by kind of request."""

    def __init__(self, name: str, stores: stage.Stores, served: stage.Served) -> None:
        self.name = name
        self.stores = stores
        self.figures = {"checkout": Figures(), "refusal": Figures()}
        self._served = served

    def sell(self, connections: int) -> None:
        """Sell the first SOLD items, so that there is something to refuse."""
        orders = checkouts(self._served.address, range(1, SOLD + 1))
        put(self._served.address, orders, connections=connections, pairs=True).expect(200)

    def fill(self, attempts: int) -> None:
        """Add attempts to the sale that is on."""
        with self.stores.sql() as sql:
            ((starts_at,),) = sql.run(
                "select extract(epoch from max(starts_at))::bigint from sales"
            )
            plans.add_attempts(sql, starts_at=starts_at, attempts=attempts)
            sql.run("vacuum analyze attempts")
            sql.run("checkpoint")

    def turn(self, name: str, *, requests: int, connections: int) -> None:
        """One turn of one kind of request."""
        items = range(1, SOLD + 1) if name == "refusal" else range(SOLD + 1, ITEMS + 1)
        orders = checkouts(self._served.address, random.choices(items, k=requests))
        with Meter({"server": self._served.pid, **self.stores.roots}) as meter:
            load = put(self._served.address, orders, connections=connections)
        load.expect(409 if name == "refusal" else 200)
        self.figures[name].add(load, meter.seconds)

    def megabytes(self) -> tuple[float, float]:
        """What the attempts take on disk, and their indexes."""
        with self.stores.sql() as sql:
            ((heap, indexes),) = sql.run(SIZES)
        return float(heap), float(indexes)


def measure(
    *, attempts: int, rounds: int, requests: int, connections: int, processes: int
) -> list[Side]:
    """Run both sides in turns. Raises ClientError."""
    with ExitStack() as running:
        sides = []
        for name, rows in (("empty", 0), (f"{attempts:,} attempts", attempts)):
            stores = running.enter_context(stage.private_stores())
            served = running.enter_context(stage.our_service(stores, processes=processes))
            side = Side(name, stores, served)
            side.sell(connections)
            if rows:
                side.fill(rows)
            sides.append(side)
        for _ in range(rounds):
            for name in ("checkout", "refusal"):
                for side in random.sample(sides, len(sides)):
                    side.turn(name, requests=requests, connections=connections)
        for side in sides:
            heap, indexes = side.megabytes()
            side.name += f" ({heap:,.0f} + {indexes:,.0f} MB)"
        return sides


def report(sides: Sequence[Side]) -> str:
    """A table: CPU in microseconds a request, and what one core could do a second."""
    rows = [
        [f"{kind}, {side.name}", *(one.cpu_us(part) for part in PARTS), 1e6 / one.work_us]
        for kind in sides[0].figures
        for side in sides
        for one in (side.figures[kind],)
    ]
    return table(
        ["a request, table + index", *(f"{part} CPU us" for part in PARTS), "requests/CPU s"], rows
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 if something could not be measured."""
    parser = options.parser("attempts", __doc__)
    parser.add_argument("--attempts", type=int, default=1_000_000, help="beforehand (1000000)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each service (3)")
    parser.add_argument("--requests", type=int, default=6_000, help="in a turn (6000)")
    asked = parser.parse_args(arguments)
    try:
        sides = measure(
            attempts=asked.attempts,
            rounds=asked.rounds,
            requests=asked.requests,
            connections=asked.connections,
            processes=asked.processes,
        )
    except (ClientError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    told = {
        side.name: {
            kind: {part: one.cpu_us(part) for part in PARTS} for kind, one in side.figures.items()
        }
        for side in sides
    }
    print(json.dumps(told) if asked.json else report(sides))
    return 0


if __name__ == "__main__":
    sys.exit(main())
