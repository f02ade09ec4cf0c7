"""Sells a whole sale over HTTP, measures it, and audits it through the API.

Run as `python -m tests.benchmarks.sellout`; README.md beside this file says how to read it.
"""

import argparse
import asyncio
import sys
from time import perf_counter

from tests.benchmarks import service
from tests.benchmarks.connection import Address
from tests.benchmarks.constant import constant_server
from tests.benchmarks.crowd import ITEMS_PER_BUYER_MAX, GeneratorError, Plan, orders, sell
from tests.benchmarks.family import Family
from tests.benchmarks.report import Report
from tests.benchmarks.tally import Tally

CLEAN, FAULTY, NOT_RUN = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 clean, 1 something unexpected, 2 could not run."""
    options = _options(arguments)
    try:
        report = _calibrate(options) if options.calibrate else _benchmark(options)
    except (GeneratorError, ValueError, service.ServiceError) as error:
        _say(f"sellout: {error}")
        return NOT_RUN
    print(report.as_json() if options.json else report.as_text())
    return CLEAN if report.clean else FAULTY


def _benchmark(options: argparse.Namespace) -> Report:
    address = Address.parse(options.url)
    if options.no_wait:
        asyncio.run(service.health(address))
        before = asyncio.run(service.stats(address))
    else:
        before = asyncio.run(service.sale_with_time(address, _say))
    tally, family = _sell(address, options, Family.listening_on(address.host, address.port))
    audit = asyncio.run(service.audit(address, before=before, tally=tally))
    return _report(tally, options, family, audit)


def _calibrate(options: argparse.Namespace) -> Report:
    with constant_server() as (address, process):
        tally, family = _sell(address, options, Family([process]))
        return _report(tally, options, family, None)


def _sell(
    address: Address, options: argparse.Namespace, family: Family | None
) -> tuple[Tally, Family | None]:
    queue = orders(address, items=options.items, buyers=options.buyers)
    count = options.processes
    plans = [
        Plan(
            address=address,
            orders=queue[number::count],
            connections=len(range(number, options.connections, count)),
            resends_max=options.resends,
        )
        for number in range(count)
    ]
    began = 0.0

    def started() -> None:
        nonlocal began
        if family is not None:
            family.start()
        began = perf_counter()

    def tick(sold: int) -> None:
        if family is not None:
            family.sample()
        if sys.stderr.isatty():
            pace = sold / (perf_counter() - began)
            sys.stderr.write(f"\r{sold:>6} of {options.items} sold, {pace:,.0f} pairs/s ")
            sys.stderr.flush()

    tally = sell(plans, started=started, tick=tick)
    if family is not None:
        family.sample()
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    return tally, family


def _report(
    tally: Tally, options: argparse.Namespace, family: Family | None, audit: list[str] | None
) -> Report:
    return Report.of(
        tally,
        items=options.items,
        connections=options.connections,
        processes=options.processes,
        service=family.cost() if family else None,
        audit=audit,
    )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sellout", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="%(default)s")
    parser.add_argument("--connections", type=_positive, default=64, help="%(default)s")
    parser.add_argument("--items", type=_positive, default=10_000, help="%(default)s")
    parser.add_argument("--buyers", type=_positive, default=2_000, help="%(default)s")
    parser.add_argument(
        "--processes", type=_positive, default=1, help="generator processes, %(default)s"
    )
    parser.add_argument(
        "--resends",
        type=_positive,
        default=20,
        help="how often one request is sent again after 503, %(default)s",
    )
    parser.add_argument("--no-wait", action="store_true", help="even if the sale is nearly over")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="measure the generator itself, against a server with constant answers",
    )
    options = parser.parse_args(arguments)
    if options.processes > options.connections:
        parser.error("--processes: more than there are connections")
    if options.items > options.buyers * ITEMS_PER_BUYER_MAX:
        parser.error(f"--buyers: too few for {options.items} items, {ITEMS_PER_BUYER_MAX} each")
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
