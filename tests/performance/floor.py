"""`make bench-floor`: what our service costs above servers that do the least one could do.

One generator, one machine, in turns: a constant; a script call a request; the same with a row
committed; and our checkouts, pairs (a checkout and its purchase) and refusals.
"""

import json
import random
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from local.stores import StoreError
from tests.performance import bare, options, stage
from tests.performance.client import ClientError
from tests.performance.cpu import Meter
from tests.performance.generator import Load, checkouts, put
from tests.performance.table import table

ITEMS = 10_000
WARM_UP = 400
PARTS = ("server", "valkey", "postgresql", "generator")
# Ours, and the floor it is held against, request by request.
RATIOS = (("checkout", "script"), ("checkout", "commit"), ("pair", "commit"), ("refusal", "commit"))


@dataclass
class Figures:
    """The sum of a server's turns. A pair counts as the two requests that it is."""

    requests: int = 0
    seconds: float = 0.0
    cpu_seconds: dict[str, float] | None = None

    def add(self, load: Load, cpu_seconds: dict[str, float]) -> None:
        """Take in one turn; `cpu_seconds` are those of server and stores."""
        turn = {**cpu_seconds, "generator": load.cpu_seconds}
        before = self.cpu_seconds or dict.fromkeys(PARTS, 0.0)
        self.cpu_seconds = {part: before[part] + turn[part] for part in PARTS}
        self.requests += load.requests
        self.seconds += load.seconds

    @property
    def rate(self) -> float:
        """Requests a second of wall-clock time."""
        return self.requests / self.seconds

    def cpu_us(self, part: str) -> float:
        """CPU of one of PARTS, in microseconds a request."""
        assert self.cpu_seconds is not None
        return self.cpu_seconds[part] * 1e6 / self.requests

    @property
    def work_us(self) -> float:
        """CPU of server and stores, in microseconds a request."""
        return sum(self.cpu_us(part) for part in PARTS if part != "generator")


class Floors:
    """The servers of a run, and what they have shown so far."""

    def __init__(
        self, stores: stage.Stores, served: dict[str, stage.Served], connections: int
    ) -> None:
        self._stores = stores
        self._served = served
        self._connections = connections
        self._left = random.sample(range(1, ITEMS + 1), ITEMS)
        self._sold: list[int] = []
        self.forget()

    def forget(self) -> None:
        """Begin the figures anew, as after a round to warm up; what is sold stays sold."""
        self.figures = {name: Figures() for name in (*bare.KINDS, "checkout", "pair", "refusal")}

    def take_turns(self, *, requests: int, pairs: int) -> None:
        """One round: the floors and our checkouts in a new order, then pairs and refusals."""
        fresh, self._left = self._left[:pairs], self._left[pairs:]
        ours = self._served["ours"].address
        turns = {kind: self._constant(kind, requests) for kind in bare.KINDS}
        turns["checkout"] = checkouts(ours, random.choices(fresh, k=requests))
        for name in random.sample(sorted(turns), len(turns)):
            self._turn(name, turns[name])
        self._turn("pair", checkouts(ours, fresh), pairs=True)
        self._sold += fresh
        self._turn("refusal", checkouts(ours, random.choices(self._sold, k=requests)))

    def _constant(self, kind: str, requests: int) -> list[bytes]:
        return checkouts(self._served[kind].address, range(1, requests + 1))

    def _turn(self, name: str, requests: list[bytes], *, pairs: bool = False) -> None:
        served = self._served.get(name, self._served["ours"])
        with Meter({"server": served.pid, **self._stores.roots}) as meter:
            load = put(served.address, requests, connections=self._connections, pairs=pairs)
        load.expect(409 if name == "refusal" else 200)
        self.figures[name].add(load, meter.seconds)


def measure(*, rounds: int, requests: int, connections: int, processes: int) -> dict[str, Figures]:
    """Run everything and return the figures by name. Raises ClientError or StoreError."""
    with stage.private_stores() as stores, ExitStack() as running:
        with stores.sql() as sql:
            sql.run(bare.TABLE)
        served = {
            kind: running.enter_context(stage.floor(stores, kind, processes=processes))
            for kind in bare.KINDS
        }
        served["ours"] = running.enter_context(stage.our_service(stores, processes=processes))
        floors = Floors(stores, served, connections)
        floors.take_turns(requests=WARM_UP, pairs=WARM_UP)
        floors.forget()
        for _ in range(rounds):
            floors.take_turns(requests=requests, pairs=(ITEMS - WARM_UP) // rounds)
        return floors.figures


def ratios(figures: dict[str, Figures]) -> list[tuple[str, float, float]]:
    """For each of RATIOS its name, the part of the floor's rate that we reach, and how many times
    the floor's CPU of server and stores we take; both by the request."""
    return [
        (
            f"{ours} against {theirs}",
            figures[ours].rate / figures[theirs].rate,
            figures[ours].work_us / figures[theirs].work_us,
        )
        for ours, theirs in RATIOS
    ]


def report(figures: dict[str, Figures]) -> str:
    """The tables."""
    parts = [[one.cpu_us(part) for part in PARTS] for one in figures.values()]
    rows = [[name, one.rate, *cpu] for (name, one), cpu in zip(figures.items(), parts, strict=True)]
    pairs = f"{figures['pair'].rate / 2:,.0f} pairs/s; a pair is two of its requests"
    return "\n\n".join(
        (
            table(["a request", "requests/s", *(f"{part} CPU us" for part in PARTS)], rows),
            pairs,
            table(["ours", "rate / floor's", "CPU / floor's"], ratios(figures)),
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 if something could not be measured."""
    parser = options.parser("floor", __doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server (3)")
    parser.add_argument("--requests", type=int, default=6_000, help="in a turn, but pairs (6000)")
    asked = parser.parse_args(arguments)
    try:
        figures = measure(
            rounds=asked.rounds,
            requests=asked.requests,
            connections=asked.connections,
            processes=asked.processes,
        )
    except (ClientError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(as_json(figures)) if asked.json else report(figures))
    return 0


def as_json(figures: dict[str, Figures]) -> dict[str, object]:
    """The same figures, for programs; CPU in microseconds a request."""
    return {
        "servers": {
            name: {
                "requests": one.requests,
                "seconds": one.seconds,
                "requests_per_second": one.rate,
                "cpu_us": {part: one.cpu_us(part) for part in PARTS},
            }
            for name, one in figures.items()
        },
        "ratios": {name: {"rate": rate, "cpu": cpu} for name, rate, cpu in ratios(figures)},
    }


if __name__ == "__main__":
    sys.exit(main())
