"""The generator processes, seen from their parent.

They are processes even when there is one, so that what the parent does meanwhile (progress,
watching the service's memory) neither delays a reading nor counts as the generator's CPU.
"""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from time import perf_counter
from typing import cast

from local.bench.generator import TICK_SECONDS, Plan, Share, generate
from local.bench.tally import Progress, Tally

START_SECONDS_MAX = 60.0
HEAD_START_SECONDS = 0.1  # for the word to go to reach everyone before the first arrival


class GeneratorError(Exception):
    """A generator process could not begin, or died."""


def send_crowd(
    plan: Plan,
    *,
    processes: int,
    started: Callable[[float], None],
    tick: Callable[[Progress], None],
) -> Tally:
    """Carries the plan out and returns what all processes measured together.

    Calls `started` with the perf_counter of the beginning, when all are connected and before any
    request, then `tick` a few times a second. Raises GeneratorError.
    """
    context = multiprocessing.get_context("spawn")
    pipes: list[Pipe] = []
    running = []
    for number in range(processes):
        ours, theirs = context.Pipe()
        process = context.Process(
            target=generate, args=(plan, Share(number, processes), theirs), daemon=True
        )
        process.start()
        theirs.close()
        running.append(process)
        pipes.append(ours)
    try:
        for pipe in pipes:
            if not pipe.poll(START_SECONDS_MAX):
                raise GeneratorError("a generator process did not start")
            if fault := _receive(pipe):
                raise GeneratorError(f"could not connect: {fault}")
        began = perf_counter() + HEAD_START_SECONDS
        started(began)
        for pipe in pipes:
            pipe.send(began)
        return _collect(pipes, tick)
    finally:
        for process in running:
            process.terminate()
            process.join()


def _collect(pipes: list[Pipe], tick: Callable[[Progress], None]) -> Tally:
    total = Tally()
    latest = {pipe: Progress() for pipe in pipes}
    waiting = set(pipes)
    tick_at = perf_counter() + TICK_SECONDS
    while waiting:
        for ready in wait(list(waiting), timeout=max(0.0, tick_at - perf_counter())):
            pipe = cast("Pipe", ready)
            message = _receive(pipe)
            if isinstance(message, Tally):
                total.add(message)
                latest[pipe] = message.now
                waiting.remove(pipe)
            elif isinstance(message, Progress):
                latest[pipe] = message
        if perf_counter() >= tick_at:
            tick(sum(latest.values(), Progress()))
            tick_at = perf_counter() + TICK_SECONDS
    return total


def _receive(pipe: Pipe) -> object:
    try:
        message: object = pipe.recv()
    except EOFError:
        raise GeneratorError("a generator process died; see its traceback above") from None
    return message
