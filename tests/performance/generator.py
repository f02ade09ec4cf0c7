"""The one load generator of all measurements here: closed loops, in a process of its own."""

import asyncio
import gc
import json
import multiprocessing
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe

import uvloop

from tests.performance.client import Address, ClientError, Connection

WAIT_SECONDS_MAX = 120.0
ITEMS_PER_BUYER = 10


@dataclass
class Load:
    """What was asked and answered. `cpu_seconds` is the generator's own, `seconds` wall-clock;
    bytes are HTTP's, heads included."""

    requests: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    bytes_sent: int = 0
    bytes_received: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)

    def codes(self) -> list[str]:
        """The checkout codes among the bodies, which `put` keeps if told so."""
        return [json.loads(body)["checkout_code"] for body in self.bodies]

    def expect(self, *statuses: int) -> None:
        """Raise ClientError if a reply has another status: it would not be what we measure."""
        if others := {status for status in self.statuses if status not in statuses}:
            raise ClientError(f"wanted only {statuses}, and got {others} as well")


def checkouts(address: Address, items: Sequence[int]) -> list[bytes]:
    """A checkout of each item, by buyers who are new and ask for ten items each."""
    crowd = secrets.token_hex(3)
    buyers = -(-len(items) // ITEMS_PER_BUYER)
    return [
        address.post(f"/checkout?user_id=crowd-{crowd}-{turn % buyers}&id={item}")
        for turn, item in enumerate(items)
    ]


def purchases(address: Address, codes: Sequence[str]) -> list[bytes]:
    """A purchase of each code."""
    return [address.post(f"/purchase?code={code}") for code in codes]


def put(
    address: Address,
    requests: list[bytes],
    *,
    connections: int,
    pairs: bool = False,
    keep: bool = False,
) -> Load:
    """Send all requests, one at a time on each connection, and return when all are answered.

    `pairs`: each is a checkout, whose code is purchased next on the same connection. `keep`: the
    load has the bodies. Raises ClientError.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, address, requests, connections, pairs, keep)
    process = context.Process(target=_generate, args=arguments, daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(WAIT_SECONDS_MAX):
            raise ClientError(f"not done in {WAIT_SECONDS_MAX:.0f} s")
        told: object = ours.recv()
    except EOFError:
        raise ClientError("the generator died; see its traceback above") from None
    finally:
        process.terminate()
        process.join()
    if not isinstance(told, Load):
        raise ClientError(str(told))
    return told


class _Asker(Connection):
    """One closed loop over orders that it shares with the others."""

    def __init__(
        self, address: Address, orders: Iterator[bytes], load: Load, *, pairs: bool, keep: bool
    ) -> None:
        super().__init__(address)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._orders = orders
        self._load = load
        self._pairs = pairs
        self._keep = keep
        self._paying = False
        self._before, self._after = address.post("/purchase?code=\0").split(b"\0")

    def next(self) -> None:
        """Send the next order, or leave."""
        self._paying = False
        order = next(self._orders, None)
        if order is None:
            self.done.set_result(None)
            self.close()
        else:
            self.send(order)

    def answered(self, status: int, body: bytes) -> None:
        load = self._load
        load.requests += 1
        load.statuses[status] += 1
        if self._keep:
            load.bodies.append(body)
        if self._pairs and not self._paying and status == 200:
            self._paying = True
            code = json.loads(body)["checkout_code"]
            self.send(self._before + code.encode() + self._after)
        else:
            self.next()

    def closed(self, fault: str) -> None:
        if not self.done.done():
            self.done.set_exception(ClientError(fault or "the server hung up"))


def _generate(
    pipe: Pipe,
    address: Address,
    requests: list[bytes],
    connections: int,
    pairs: bool,
    keep: bool,
) -> None:
    async def ask() -> Load:
        load, orders = Load(), iter(requests)
        askers = [_Asker(address, orders, load, pairs=pairs, keep=keep) for _ in range(connections)]
        await asyncio.gather(*(asker.open() for asker in askers))
        gc.freeze()
        gc.disable()  # it is over soon, and makes no cycles
        began, cpu = time.perf_counter(), time.process_time()
        for asker in askers:
            asker.next()
        await asyncio.gather(*(asker.done for asker in askers))
        load.seconds = time.perf_counter() - began
        load.cpu_seconds = time.process_time() - cpu
        load.bytes_sent = sum(asker.bytes_sent for asker in askers)
        load.bytes_received = sum(asker.bytes_received for asker in askers)
        return load

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            told: object = runner.run(ask())
        except (ClientError, OSError, TimeoutError) as error:
            told = f"{type(error).__name__}: {error}"
        pipe.send(told)
