"""What the generator itself costs: the sellout's work against a server with constant answers."""

import random

from local.bench.constant import constant_server
from local.bench.crowd import send_crowd
from local.bench.generator import Plan
from local.bench.shopper import Patience
from local.bench.wish import BUYING, Mix

ITEMS = 40_000


def calibrate(*, users: int, processes: int) -> str:
    """Three lines for the terminal. Raises GeneratorError."""
    with constant_server() as address:
        plan = Plan(
            address=address,
            mix=Mix(BUYING, tuple(random.sample(range(ITEMS), ITEMS)), endless=False),
            connections=users,
            seconds=60.0,
            patience=Patience(10.0, 20),
            interval_seconds=0.25,
            crowd="bench",
        )
        tally = send_crowd(
            plan, processes=processes, started=lambda began: None, tick=lambda progress: None
        )
    requests = tally.outcomes().total()
    return (
        f"{requests:,} requests to a server with constant answers, {users} connections,"
        f" generator processes: {processes}\n"
        f"{requests / tally.seconds:,.0f} requests/s in {tally.seconds:.2f} s\n"
        f"{tally.cpu_seconds / requests * 1e6:.1f} us of CPU a request: at most"
        f" {requests / tally.cpu_seconds:,.0f} requests/s for each core that it gets"
    )
