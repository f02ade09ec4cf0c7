"""`flashsale test`: try a service from outside."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from local.commands.terminal import service_url

if TYPE_CHECKING:
    from local.bench.report import Report
    from local.trial.trial import Bought, Check

CROWDS = ("load", "benchmark", "resources")
TESTS = ("basic", "checkout", "limits", *CROWDS)


@click.command()
@click.argument("tests", type=click.Choice([*TESTS, "all"]), nargs=-1, required=True)
@click.option("--url", help="The deployment: http[s]://host[:port][/path]; the one that runs here.")
@click.option(
    "--users",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="load, benchmark, resources: how many at once.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="load: for how long, seconds.",
)
@click.option("-y", "--yes", is_flag=True, help="Don't ask before a crowd buys from --url.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def test(
    *,
    tests: tuple[str, ...],
    url: str | None,
    users: int,
    duration: float,
    yes: bool,
    as_json: bool,
) -> None:
    """Try a service from outside, a line for each check.

    \b
    basic      health, figures, items, and how mistakes are answered; buys nothing
    checkout   an item is bought, once and for all; buys 1
    limits     a buyer gets ten items and no eleventh; buys 10
    load       a crowd for --duration, half buy and half look; buys what is left
    benchmark  the same crowd sells the sale out, with a look at latency
    resources  the same, with a look at CPU and memory, of a service on this machine
    all        all of these, in this order

    The first three do no harm to a sale that is on: their buyers are new, and their items are
    among those that are left. The crowds take the whole sale: with --url they ask first. Exit
    status 0 if all checks pass, 1 if one fails, 2 if there is nothing to ask, 3 if nothing runs
    here and there is no --url.

    \b
    flashsale test basic checkout limits
    flashsale test all --users 64 --duration 10
    flashsale test basic --url https://shop.example/prod --json
    """
    from local.bench.address import Address
    from local.trial.basic import basic
    from local.trial.buying import checkout, limits
    from local.trial.site import Site
    from local.trial.trial import Trial

    try:
        url_asked = url or service_url()
        address = Address.parse(url_asked)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    chosen = [name for name in TESTS if name in tests or "all" in tests]
    if url and not yes and set(chosen) & set(CROWDS):
        click.confirm(f"Buy everything that is left at {url}?", abort=True, err=True)
    trial = Trial(Site(address), (lambda check: None) if as_json else _show)
    simple = {"basic": basic, "checkout": checkout, "limits": limits}
    reports = {}
    for name in chosen:
        if name in simple:
            simple[name](trial)
            continue
        from local.trial.crowd import Crowd, crowd

        if report := crowd(trial, name, Crowd(users, duration)):
            reports[name] = report
    if as_json:
        told = {
            "passed": trial.passed,
            "url": url_asked,
            "checks": [asdict(check) for check in trial.checks],
            "bought": [asdict(each) for each in trial.bought],
            "crowds": {name: report.metrics for name, report in reports.items()},
        }
        click.echo(json.dumps(told))
    else:
        _show_end(trial.checks, trial.bought, reports)
    sys.exit(0 if trial.passed else 1)


def _show(check: "Check") -> None:
    state = click.style("ok  ", fg="green") if check.passed else click.style("fail", fg="red")
    click.echo(f"  {state}  {check.test:<10}{check.name}  {_dim(f'{check.milliseconds:,.0f} ms')}")
    if not check.passed:
        click.echo(f"  {'':16}{click.style(check.detail, bold=True)}")


def _show_end(checks: "list[Check]", bought: "list[Bought]", reports: "dict[str, Report]") -> None:
    for report in reports.values():
        from local.bench.text import summary

        click.echo(f"\n{summary(report)}")
    click.echo()
    if bought:
        buyers = sorted({each.buyer for each in bought})
        items = ", ".join(str(item) for item in sorted(each.item for each in bought))
        click.echo(f"  Bought by {', '.join(buyers)}: items {items}")
    for name, report in reports.items():
        click.echo(f"  Bought by the crowd of {name}: {report.metrics['pairs']:,.0f} items")
    failed = sum(not check.passed for check in checks)
    click.echo(f"  {len(checks) - failed} passed, {failed} failed")


def _dim(text: str) -> str:
    return click.style(text, dim=True)
