"""The generator processes: each runs its share of the connections on an event loop of its own.

They are processes even when there is one, so that what the parent does meanwhile (progress,
watching the service's memory) neither delays a reading nor counts as the generator's CPU.
"""

import asyncio
import gc
import multiprocessing
import random
import resource
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from time import perf_counter

from tests.benchmarks.connection import Address, new_event_loop
from tests.benchmarks.shopper import Shopper
from tests.benchmarks.tally import Tally

ITEMS_PER_BUYER_MAX = 10
RESPONSE_SECONDS_MAX = 30.0
TICK_SECONDS = 0.25
START_SECONDS_MAX = 30.0


class GeneratorError(Exception):
    """A generator process could not begin, or died."""


@dataclass(frozen=True)
class Plan:
    """What one generator process is to do."""

    address: Address
    orders: list[bytes]
    connections: int
    resends_max: int


def orders(address: Address, *, items: int, buyers: int) -> list[bytes]:
    """A checkout request for every item, shuffled; the buyers are new to the sale, and take turns.

    The caller sees to it that there are enough: nobody may have more than ITEMS_PER_BUYER_MAX.
    """
    crowd = secrets.token_hex(3)
    return [
        address.request("POST", f"/checkout?user_id=bench-{crowd}-{turn % buyers}&id={item}")
        for turn, item in enumerate(random.sample(range(1, items + 1), items))
    ]


def sell(plans: list[Plan], *, started: Callable[[], None], tick: Callable[[int], None]) -> Tally:
    """Runs all plans at once and returns what they measured together.

    Calls `started` when all are connected and before any request, then `tick` with the number of
    items sold so far, a few times a second. Raises GeneratorError.
    """
    context = multiprocessing.get_context("spawn")
    pipes: dict[Pipe, int] = {}
    processes = []
    for plan in plans:
        ours, theirs = context.Pipe()
        process = context.Process(target=_generate, args=(plan, theirs), daemon=True)
        process.start()
        theirs.close()
        processes.append(process)
        pipes[ours] = 0
    try:
        for pipe in pipes:
            if not pipe.poll(START_SECONDS_MAX):
                raise GeneratorError("a generator process did not start")
            if fault := _receive(pipe):
                raise GeneratorError(f"could not connect: {fault}")
        started()
        for pipe in pipes:
            pipe.send("go")
        return _collect(pipes, tick)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _collect(sold: dict[Pipe, int], tick: Callable[[int], None]) -> Tally:
    total = Tally()
    waiting = set(sold)
    tick_at = perf_counter() + TICK_SECONDS
    while waiting:
        for ready in wait(list(waiting), timeout=max(0.0, tick_at - perf_counter())):
            assert isinstance(ready, Pipe)
            message = _receive(ready)
            if isinstance(message, Tally):
                total.add(message)
                waiting.remove(ready)
            else:
                assert isinstance(message, int)
                sold[ready] = message
        if perf_counter() >= tick_at:
            tick(sum(sold.values()))
            tick_at = perf_counter() + TICK_SECONDS
    return total


def _receive(pipe: Pipe) -> object:
    try:
        message: object = pipe.recv()
    except EOFError:
        raise GeneratorError("a generator process died; see its traceback above") from None
    return message


def _generate(plan: Plan, pipe: Pipe) -> None:
    """A generator process: says "" when connected, waits for a word, sells, sends its Tally."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_shop(plan, pipe))


async def _shop(plan: Plan, pipe: Pipe) -> None:
    tally = Tally()
    remaining = plan.connections
    all_left = asyncio.Event()

    def left() -> None:
        nonlocal remaining
        remaining -= 1
        if not remaining:
            all_left.set()

    queue = iter(plan.orders)
    shoppers = [
        Shopper(
            address=plan.address,
            orders=queue,
            tally=tally,
            resends_max=plan.resends_max,
            left=left,
        )
        for _ in range(plan.connections)
    ]
    try:
        await asyncio.gather(*(shopper.open() for shopper in shoppers))
    except OSError as error:
        pipe.send(str(error))
        return
    pipe.send("")
    pipe.recv()

    gc.freeze()
    gc.disable()  # the sale is short, and makes no cycles
    cpu_before = _cpu_seconds()
    tally.began = perf_counter()
    for shopper in shoppers:
        shopper.start_pair()
    while not all_left.is_set():
        try:
            await asyncio.wait_for(all_left.wait(), TICK_SECONDS)
        except TimeoutError:
            _cut_overdue(shoppers)
            pipe.send(tally.pairs)
    tally.ended = perf_counter()
    tally.cpu_seconds = _cpu_seconds() - cpu_before
    pipe.send(tally)


def _cut_overdue(shoppers: list[Shopper]) -> None:
    oldest = perf_counter() - RESPONSE_SECONDS_MAX
    for shopper in shoppers:
        if 0.0 < shopper.sent_at < oldest:
            shopper.fail(f"no response for {RESPONSE_SECONDS_MAX:.0f} s")


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
