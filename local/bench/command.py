"""`flashsale bench`: what its user may say."""

import sys

import click

from local.bench.address import Address
from local.bench.options import Options
from local.bench.scenario import SCENARIOS
from local.bench.threshold import Threshold

REPORT_FILE = "flashsale-bench.html"
STDOUT = "-"
COUNT = click.IntRange(min=1)
POSITIVE = click.FloatRange(min=0, min_open=True)


class _Help(click.Command):
    """Lists the scenarios below the options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Scenarios"):
            formatter.write_dl([(found.name, found.about) for found in SCENARIOS.values()])
        super().format_epilog(ctx, formatter)


def _thresholds(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> list[Threshold]:
    try:
        return [Threshold.parse(text) for text in texts]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(cls=_Help)
@click.argument("scenario", type=click.Choice(list(SCENARIOS)), required=False)
@click.option("--url", help="The deployment: http[s]://host[:port][/path]; the one that runs here.")
@click.option("--users", type=COUNT, help="Closed loop: how many, each with its connection.")
@click.option("--connections", type=COUNT, help="Open loop: the most at once.")
@click.option("--duration", type=POSITIVE, help="Seconds in which visits begin.")
@click.option("--rate", type=POSITIVE, help="Visits/s: of soak; for mixed, the known capacity.")
@click.option("--times", type=POSITIVE, default=20.0, show_default=True, help="mixed: top load.")
@click.option("--processes", type=COUNT, default=1, show_default=True, help="Of the generator.")
@click.option(
    "--give-up", type=POSITIVE, default=10.0, show_default=True, help="Time limit of a request, s."
)
@click.option("--threshold", "thresholds", multiple=True, callback=_thresholds, help="'p99<100ms'")
@click.option(
    "--json", "json_file", is_flag=False, flag_value=STDOUT, help="All figures, to a file or here."
)
@click.option(
    "--report", "report_file", default=REPORT_FILE, show_default=True, help="The HTML report."
)
@click.option("--no-report", is_flag=True, help="Write no HTML.")
@click.option("--no-wait", is_flag=True, help="Run even if the sale is nearly over.")
@click.option("--calibrate", is_flag=True, help="Measure the generator itself, and no service.")
@click.pass_context
def bench(
    ctx: click.Context,
    *,
    scenario: str | None,
    url: str | None,
    users: int | None,
    connections: int | None,
    duration: float | None,
    rate: float | None,
    times: float,
    processes: int,
    give_up: float,
    thresholds: list[Threshold],
    json_file: str | None,
    report_file: str,
    no_report: bool,
    no_wait: bool,
    calibrate: bool,
) -> None:
    """Send a crowd to a service, and measure it.

    It writes a report, too; docs/BENCH.md says how to read it. Exit status: 0 clean, 1 a threshold
    failed or somebody got what nobody should get, 2 it could not run.

    \b
    flashsale bench sellout
    flashsale bench mixed --duration 30 --threshold "goodput_kept>=80%"
    flashsale bench soak --url https://shop.example/prod --rate 50 --duration 3600
    """
    from local.bench import execute  # late: other commands need none of it

    if calibrate:
        execute.calibrated(users=users or 64, processes=processes)
        return
    if scenario is None:
        raise click.UsageError(f"Which scenario? {', '.join(SCENARIOS)}")
    chosen = SCENARIOS[scenario]
    if not chosen.open_loop:
        users = _agreed(users, connections)
    try:
        address = Address.parse(url or _running(ctx))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    options = Options(
        scenario=chosen,
        address=address,
        seconds=duration or chosen.seconds,
        users=users or chosen.users,
        connections=connections or chosen.connections,
        processes=processes,
        rate=rate,
        times=times,
        give_up_seconds=give_up,
        wait=not no_wait,
    )
    _check(options)
    outputs = execute.Outputs(json_file, None if no_report else report_file)
    sys.exit(execute.executed(options, thresholds, outputs))


def _running(ctx: click.Context) -> str:
    """The service of this checkout if it runs, as the group's object tells, else the usual URL."""
    state = ctx.obj() if ctx.obj else None
    return str(state["gateway"]) if state else "http://127.0.0.1:8080"


def _agreed(users: int | None, connections: int | None) -> int | None:
    """In a closed loop a user is a connection: either option will do."""
    if users and connections and users != connections:
        raise click.UsageError("in a closed loop each user has one connection: give --users only")
    return users or connections


def _check(options: Options) -> None:
    chosen = options.scenario
    lines = options.connections if chosen.open_loop else options.users
    if options.processes > lines:
        raise click.UsageError(f"--processes: more than there are connections ({lines})")
    if options.rate and not chosen.open_loop:
        raise click.UsageError(f"--rate: {chosen.name} is a closed loop; mixed and soak have rates")
