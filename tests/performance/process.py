"""Where our own process spends a request: `python -m tests.performance.process`.

Sells a private sale in three phases, with a sampler in each gateway process, and divides the CPU
that a request takes among the parts of the code.
"""

import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil

from local.stores import StoreError
from tests.performance import options, stage
from tests.performance.client import ClientError
from tests.performance.cpu import Meter
from tests.performance.generator import Load, checkouts, purchases, put
from tests.performance.table import table

ITEMS = 10_000
TELL_SECONDS_MAX = 5.0
SAMPLER = Path(__file__).parent / "sampler"
# The first part whose path is found in the innermost frame that has any, is where the time goes.
PARTS = {
    "HTTP": (
        *("local/express.py", "local/protocol.py", "local/patience.py", "local/transport.py"),
        "/uvicorn/",
    ),
    "event and result": ("local/events.py", "local/gateway.py", "local/functions.py"),
    "edge": ("flashsale/api.py", "flashsale/request.py", "flashsale/invocation.py", "/functions/"),
    "log": ("flashsale/logs.py", "flashsale/metrics.py"),
    "codes": ("flashsale/codes.py",),
    "batches": ("flashsale/batching.py",),
    "Redis": ("flashsale/inventory/",),
    "PostgreSQL": ("flashsale/ledger/", "/pg8000/"),
    "selling": ("/flashsale/",),  # all else of the layer
}
OTHERS = "event loop"


def part_of(chain: str) -> str:
    """The part that a sample belongs to; `chain` has the files of its frames, innermost first."""
    for file in chain.split("\n"):
        for part, paths in PARTS.items():
            if any(path in file for path in paths):
                return part
    return OTHERS


class Samples:
    """The samples of a service's gateway processes, which write to a folder when told to."""

    def __init__(self, folder: Path, pid: int) -> None:
        self._folder = folder
        self._workers = [
            child.pid
            for child in psutil.Process(pid).children(recursive=True)
            if "local.serve" in child.cmdline()
        ]

    def take(self) -> Counter[str]:
        """Samples by part since the last time."""
        files = [self._folder / f"{worker}.json" for worker in self._workers]
        for file in files:
            file.unlink(missing_ok=True)
        for worker in self._workers:
            psutil.Process(worker).send_signal(signal.SIGUSR2)
        deadline = time.monotonic() + TELL_SECONDS_MAX
        parts: Counter[str] = Counter()
        for file in files:
            while not file.exists():
                if time.monotonic() > deadline:
                    raise ClientError("a gateway process does not tell its samples")
                time.sleep(0.01)
            for chain, count in json.loads(file.read_text()).items():
                parts[part_of(chain)] += count
        return parts


def divided(samples: Counter[str], cpu_us: float) -> dict[str, float]:
    """Microseconds a request by part, in the order of PARTS."""
    total = max(samples.total(), 1)
    return {part: cpu_us * samples[part] / total for part in (*PARTS, OTHERS)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 2 if it could not run."""
    asked = options.parser("process", __doc__).parse_args(arguments)
    try:
        phases = _measure(asked.connections, asked.processes)
    except (ClientError, StoreError) as error:
        print(f"process: {error}", file=sys.stderr)
        return 2
    print(json.dumps(phases) if asked.json else report(phases))
    return 0


def report(phases: dict[str, dict[str, float]]) -> str:
    rows = [[part, *(phase[part] for phase in phases.values())] for part in (*PARTS, OTHERS)]
    rows.append(["all", *(sum(phase.values()) for phase in phases.values())])
    return table(["CPU us", *phases], rows)


def _measure(connections: int, processes: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory(prefix="flashsale-samples-") as name:
        environment = {"FLASHSALE_SAMPLES": name, "PYTHONPATH": str(SAMPLER)}
        with (
            stage.private_stores() as stores,
            stage.our_service(stores, processes=processes, more=environment) as served,
        ):
            samples = Samples(Path(name), served.pid)
            samples.take()
            phases: dict[str, dict[str, float]] = {}

            def phase(kind: str, requests: list[bytes], status: int, *, keep: bool = False) -> Load:
                with Meter({"server": served.pid}) as meter:
                    load = put(served.address, requests, connections=connections, keep=keep)
                load.expect(status)
                cpu_us = meter.seconds["server"] / load.requests * 1e6
                phases[kind] = divided(samples.take(), cpu_us)
                return load

            items = random.sample(range(1, ITEMS + 1), ITEMS)
            load = phase("checkout", checkouts(served.address, items), 200, keep=True)
            phase("purchase", purchases(served.address, load.codes()), 200)
            phase("refusal", checkouts(served.address, items), 409)
            return phases


if __name__ == "__main__":
    sys.exit(main())
