"""The scenarios: what the crowd does, how long, and what must hold afterwards."""

import random
from dataclasses import dataclass

from local.bench.wish import BROWSING, BUYING, MIXED, Mix

CONTESTED = 100  # items that everybody wants
SOAK_RATE = 200.0  # visits a second, unless told otherwise
BUYING_SHARE = MIXED.count("checkout") / len(MIXED)


@dataclass(frozen=True)
class Scenario:
    """`seconds` is how long visits begin; a scenario that sells a set of items ends when it has."""

    name: str
    about: str
    open_loop: bool = False
    seconds: float = 60.0
    users: int = 64  # closed loop: each has a connection and sends one request at a time
    connections: int = 256  # open loop: the most at once
    thresholds: tuple[str, ...] = ("errors==0",)
    sells_all: bool = False  # whether it buys every item and audits /stats at the end
    focus: str = "throughput"  # which plots come first in the report


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "sellout",
            "every item is checked out and purchased once",
            seconds=300,
            thresholds=("errors==0", "not_bought==0"),
            sells_all=True,
        ),
        Scenario("rush", "everybody wants the same hundred items", seconds=15),
        Scenario(
            "soldout",
            "refusals after the end of stock; stock that is left is sold first",
            seconds=15,
            thresholds=("errors==0", "pairs==0"),
        ),
        Scenario("browse", "the sale's figures, pages of items, single items", seconds=15),
        Scenario(
            "mixed",
            "arrivals that rise far above capacity and fall again: half buy, half look",
            open_loop=True,
            connections=1000,
            thresholds=("goodput_kept>=50%",),
            focus="goodput",
        ),
        Scenario(
            "soak",
            "steady arrivals for a long time: half buy, half look; does memory grow?",
            open_loop=True,
            seconds=600,
            thresholds=("errors==0", "gateway_growth<32MiB"),
            focus="resources",
        ),
        Scenario(
            "load",
            "a mixed crowd in a closed loop: half buy, half look",
            users=100,
        ),
        Scenario(
            "benchmark",
            "as sellout, with a look at latency",
            users=100,
            thresholds=("errors==0", "not_bought==0", "p99<1s"),
            sells_all=True,
            focus="latency",
        ),
        Scenario(
            "resources",
            "as sellout, with a look at CPU and memory",
            users=100,
            thresholds=("errors==0", "not_bought==0"),
            sells_all=True,
            focus="resources",
        ),
    )
}


class Wanted:
    """Which items a scenario's visitors want, in a sale of `total` of which some are `left`."""

    def __init__(self, total: int, left: list[int]) -> None:
        self._total = total
        self._everything = shuffled(range(1, total + 1))
        self._left = shuffled(left)
        # Where fewer are left, items that were sold before are wanted, too.
        self.contested = (self._left[:CONTESTED] + self._everything)[:CONTESTED]

    def in_closed_loop(self, scenario: Scenario) -> Mix:
        """All items once, or what the scenario's name says again and again."""
        if scenario.sells_all:
            return Mix(BUYING, self._everything, endless=False)
        if scenario.name == "rush":
            return Mix(BUYING, self.contested)
        kinds = {"browse": BROWSING, "load": MIXED}.get(scenario.name, BUYING)
        return Mix(kinds, self._everything, total=self._total)

    def by_arrivals(self, arrivals: float) -> Mix:
        """The stock is spread over the run: at high load the crowd wants the same as at low."""
        wanted = set(self.contested)
        fresh = tuple(item for item in self._left if item not in wanted) or self._everything
        share = len(fresh) / max(1.0, arrivals * BUYING_SHARE)
        return Mix(MIXED, fresh, contested=self.contested, fresh=min(1.0, share), total=self._total)

    def all_contested(self) -> Mix:
        """As by arrivals when nothing is fresh: for measuring a capacity and not the stock."""
        return Mix(MIXED, self.contested, total=self._total)


def shuffled(items: range | list[int]) -> tuple[int, ...]:
    """In random order."""
    return tuple(random.sample(items, len(items)))
