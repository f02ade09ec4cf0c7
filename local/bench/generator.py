"""A generator process: its share of the connections, on an event loop of its own."""

import asyncio
import gc
import resource
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from time import perf_counter

from local.bench.address import Address
from local.bench.connection import new_event_loop
from local.bench.loop import ClosedLoop, Loop, OpenLoop
from local.bench.schedule import Schedule
from local.bench.shopper import Patience, Shopper
from local.bench.tally import Tally
from local.bench.wish import Mix, wishes

TICK_SECONDS = 0.25
LAST_VISITS_SECONDS = 5.0  # beyond the time limit of a request, before what is open is cut off
OPENING_AT_ONCE = 100


@dataclass(frozen=True)
class Plan:
    """What all generator processes are to do together. Open loop if there is a schedule."""

    address: Address
    mix: Mix
    connections: int
    seconds: float
    patience: Patience
    interval_seconds: float
    crowd: str  # what the buyers' names begin with
    schedule: Schedule | None = None


@dataclass(frozen=True)
class Share:
    """Which part of the plan is this process's: `number` of `count`."""

    number: int
    count: int


def generate(plan: Plan, share: Share, pipe: Pipe) -> None:
    """Says "" when connected, waits for the perf_counter to begin at, sends its Progress now and
    then, and at the end its Tally. Says what is wrong if it can't connect."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    allow_files()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_run(plan, share, pipe))


def allow_files() -> None:
    """A connection is an open file: as many as the system lets us have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (OSError, ValueError):  # macOS has no limit to set it to
        return


async def _run(plan: Plan, share: Share, pipe: Pipe) -> None:
    tally = Tally(interval_seconds=plan.interval_seconds)
    loop = _loop(plan, share, tally)
    shoppers = [
        Shopper(plan.address, tally, plan.patience, loop.finished)
        for _ in range(share.number, plan.connections, share.count)
    ]
    try:
        for first in range(0, len(shoppers), OPENING_AT_ONCE):
            await asyncio.gather(
                *(shopper.open() for shopper in shoppers[first : first + OPENING_AT_ONCE])
            )
    except OSError as error:
        pipe.send(str(error) or type(error).__name__)
        return
    pipe.send("")
    tally.began = tally.ended = pipe.recv()

    gc.freeze()
    gc.set_threshold(200_000, 100, 100)  # what we make is freed by its count; look for little else
    await asyncio.sleep(tally.began - perf_counter())
    await _visit(plan, loop, shoppers, tally, pipe)
    loop.stop()
    pipe.send(tally)


def _loop(plan: Plan, share: Share, tally: Tally) -> Loop:
    mix = plan.mix.part(share.number, share.count)
    visits = wishes(mix, plan.address, crowd=f"{plan.crowd}-{share.number}")
    if plan.schedule is None:
        return ClosedLoop(visits, tally, seconds=plan.seconds, finite=not mix.endless)
    times = plan.schedule.times(first=share.number, step=share.count)
    return OpenLoop(visits, times, tally, give_up_seconds=plan.patience.give_up_seconds)


async def _visit(plan: Plan, loop: Loop, shoppers: list[Shopper], tally: Tally, pipe: Pipe) -> None:
    """Until all have left or, if the service keeps them, a while longer than they may wait."""
    done = asyncio.Event()
    cpu = _cpu_seconds()
    last = tally.began + plan.seconds + plan.patience.give_up_seconds + LAST_VISITS_SECONDS
    loop.start(shoppers, done.set)
    while not done.is_set():
        try:
            await asyncio.wait_for(done.wait(), TICK_SECONDS)
        except TimeoutError:
            moment = perf_counter()
            cpu = _count_cpu(tally, cpu, moment)
            for shopper in shoppers:
                shopper.overdue(moment)
            loop.look(moment)
            pipe.send(tally.now)
            if moment > last:
                _cut_off(shoppers, tally, moment)
                break
    tally.ended = perf_counter()
    _count_cpu(tally, cpu, tally.ended)


def _count_cpu(tally: Tally, before: float, moment: float) -> float:
    now = _cpu_seconds()
    tally.at(moment).cpu_seconds += now - before
    return now


def _cut_off(shoppers: list[Shopper], tally: Tally, moment: float) -> None:
    for shopper in shoppers:
        if shopper.busy:
            tally.failed(shopper.step, "unfinished", "still under way at the end", moment)
            tally.unheard += shopper.step == "purchase"


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
