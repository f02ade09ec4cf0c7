"""Fuzzes the service: `make fuzz N=1000000`. Requests to the functions on stores of its own, in
both shapes of event, and as many forged codes. Exit status 1 if anything is wrong."""

import argparse
import os
import random
import sys

import click

from tests.fuzz.forgery import Accepted, forge
from tests.performance.stage import SALE_SECONDS, private_stores

GROWTH_BYTES_MAX = 32_000_000
SHOWN_MAX = 10


def main() -> int:
    options = _options()
    print(f"seed {options.seed}")
    return max(_forge(options.count, options.seed), _fuzz(options.count, options.seed))


def _forge(count: int, seed: int) -> int:
    with click.progressbar(length=count, label="forged codes") as bar:
        try:
            refused = forge(count, seed, bar.update)
        except Accepted as accepted:
            print(f"\nACCEPTED {accepted}")
            return 1
    for kind, number in sorted(refused.items()):
        print(f"  {number:9,} refused  {kind}")
    return 0


def _fuzz(count: int, seed: int) -> int:
    with private_stores() as stores:
        os.environ.update(
            stores.environment,
            SALE_SECONDS=str(SALE_SECONDS),
            LOG_FILE=str(stores.folder / "log"),
            LOG_LEVEL="WARNING",
            CODE_KEYS="1:" + random.Random(seed).randbytes(32).hex(),
        )
        # The settings are read when these are imported.
        import uvloop

        from tests.fuzz.functions import fuzz

        with click.progressbar(length=count, label="requests    ") as bar:
            findings = uvloop.run(fuzz(count, seed, bar.update))
    for answer, number in sorted(findings.answers.items()):
        print(f"  {number:9,} answered {answer}")
    grown = findings.grown_bytes
    print(f"  {grown / 1e6:9.1f} MB grown since the first fifth")
    if grown > GROWTH_BYTES_MAX:
        findings.wrong.append(f"memory grew by {grown:,} bytes")
    for wrong in findings.wrong[:SHOWN_MAX]:
        print(f"WRONG {wrong}")
    print(f"{len(findings.wrong)} wrong")
    return 1 if findings.wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("-n", dest="count", type=int, default=100_000, help="of each, %(default)s")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
