"""Carries a scenario out: what must be known first, then the crowd, then the audit."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import time

from local.bench import service
from local.bench.audit import audit, bad_receipts
from local.bench.crowd import send_crowd
from local.bench.family import Courses, Family
from local.bench.generator import Plan
from local.bench.options import Options
from local.bench.scenario import CONTESTED, SOAK_RATE, Wanted, shuffled
from local.bench.schedule import Schedule, steady, surge
from local.bench.service import ServiceError, Stats
from local.bench.shopper import Patience
from local.bench.tally import Tally
from local.bench.watch import Stock, Watch
from local.bench.wish import BUYING, Mix

CAPACITY_SECONDS = 4.0
CAPACITY_USERS = 64
RESENDS_MAX = 20
INTERVAL_SECONDS_MIN = 0.25

Say = Callable[[str], None]


@dataclass
class Run:
    """What happened."""

    options: Options
    tally: Tally
    stock: Stock
    courses: Courses | None
    unwatched: str  # why there are no courses
    items: int  # how many were to be bought, if a set of them
    capacity: float | None  # visits a second
    schedule: Schedule | None
    audit: list[str] | None  # what disagreed with /stats; None if it was not asked
    receipts: list[str]  # what disagreed among the purchases
    began_at: float = field(default_factory=time)  # Unix seconds
    notes: list[str] = field(default_factory=list)


class Runner:
    """One run of one scenario. `say` prints a line for the user."""

    def __init__(self, options: Options, say: Say) -> None:
        self._options = options
        self._say = say
        self._notes: list[str] = []
        self._schedule: Schedule | None = None
        self._capacity: float | None = None

    def run(self) -> Run:
        """Raises ServiceError or GeneratorError if it can't be run."""
        options = self._options
        before = self._first_look()
        left = asyncio.run(service.unsold(options.address))
        if options.scenario.name == "soldout" and left:
            self._sell_first(left)
            before = asyncio.run(service.stats(options.address))
        mix = self._mix(before, left)
        found = Family.listening_on(options.address.host, options.address.port)
        family, unwatched = (None, found) if isinstance(found, str) else (found, "")
        stock = Stock(options.address, options.seconds)
        began_at = time()
        tally = self._send(mix, family=family, stock=stock, schedule=self._schedule)
        if options.scenario.sells_all:
            disagreements = asyncio.run(audit(options.address, before=before, tally=tally))
        else:
            disagreements = None
        return Run(
            options=options,
            tally=tally,
            stock=stock,
            courses=family.courses if family else None,
            unwatched=unwatched,
            items=0 if mix.endless else len(mix.items),
            capacity=self._capacity,
            schedule=self._schedule,
            audit=disagreements,
            receipts=bad_receipts(tally.receipts, one_sale=self._still(before)),
            began_at=began_at,
            notes=self._notes,
        )

    def _first_look(self) -> Stats:
        """The sale that is on, with enough of it left to sell."""
        options = self._options
        if options.wait and options.scenario.name not in ("browse", "soak"):
            return asyncio.run(service.sale_with_time(options.address, self._say))
        asyncio.run(service.health(options.address))
        return asyncio.run(service.stats(options.address))

    def _still(self, before: Stats) -> bool:
        try:
            return asyncio.run(service.stats(self._options.address)).sale_id == before.sale_id
        except ServiceError:
            return False

    def _mix(self, before: Stats, left: list[int]) -> Mix:
        """What the scenario's visitors want; makes the schedule of an open loop."""
        scenario = self._options.scenario
        wanted = Wanted(before.total, left)
        if scenario.sells_all and len(left) < before.total:
            self._note(f"{before.total - len(left)} of {before.total} items were sold before")
        if scenario.name in ("rush", "mixed", "soak") and len(left) < CONTESTED:
            self._note(f"{len(left)} items were left: most that are wanted were sold before")
        if not scenario.open_loop:
            return wanted.in_closed_loop(scenario)
        options = self._options
        if scenario.name == "mixed":
            self._capacity = options.rate or self._measured(wanted.all_contested())
            self._schedule = surge(self._capacity, options.times, options.seconds)
        else:
            self._schedule = steady(options.rate or SOAK_RATE, options.seconds)
        return wanted.by_arrivals(self._schedule.arrivals)

    def _measured(self, mix: Mix) -> float:
        """What the service can do, in visits a second: a short closed loop tells."""
        self._say(f"Measuring the capacity: {CAPACITY_USERS} users, {CAPACITY_SECONDS:.0f} s")
        options = replace(self._options, seconds=CAPACITY_SECONDS, users=CAPACITY_USERS)
        tally = self._send(mix, title="capacity", options=options)
        capacity = tally.now.good / tally.seconds
        if capacity < 1:
            raise ServiceError("the service answered nothing well while its capacity was measured")
        self._note(
            f"capacity {capacity:,.0f} visits/s, measured by {CAPACITY_USERS} users in a closed"
            f" loop of {CAPACITY_SECONDS:.0f} s"
        )
        return capacity

    def _sell_first(self, left: list[int]) -> None:
        self._note(f"{len(left)} items were left and were sold first; that is not in the figures")
        options = replace(self._options, seconds=300.0)
        tally = self._send(
            Mix(BUYING, shuffled(left), endless=False), title="selling", options=options
        )
        remaining = asyncio.run(service.stats(self._options.address)).inventory
        if remaining:
            raise ServiceError(
                f"{remaining} items could not be sold first:"
                f" {dict(tally.faults + tally.unexpected)}"
            )

    def _send(
        self,
        mix: Mix,
        *,
        title: str = "",
        options: Options | None = None,
        family: Family | None = None,
        stock: Stock | None = None,
        schedule: Schedule | None = None,
    ) -> Tally:
        options = options or self._options
        plan = plan_for(options, mix, schedule)
        watch = Watch(
            title or options.scenario.name,
            family=family,
            stock=stock,
            seconds=options.seconds,
            say=self._say,
        )
        try:
            return send_crowd(
                plan, processes=options.processes, started=watch.started, tick=watch.tick
            )
        finally:
            watch.stop()

    def _note(self, line: str) -> None:
        self._notes.append(line)
        self._say(line[0].upper() + line[1:])


def plan_for(options: Options, mix: Mix, schedule: Schedule | None) -> Plan:
    """What the generator processes are to do."""
    return Plan(
        address=options.address,
        mix=mix,
        connections=options.connections if schedule else options.users,
        seconds=options.seconds,
        patience=Patience(options.give_up_seconds, 0 if schedule else RESENDS_MAX),
        interval_seconds=max(INTERVAL_SECONDS_MIN, options.seconds / 120)
        if mix.endless
        else INTERVAL_SECONDS_MIN,
        crowd=f"bench-{secrets.token_hex(3)}",
        schedule=schedule,
    )
