"""`flashsale logs`: what the service has noted."""

import sys
from typing import TYPE_CHECKING

import click

from local.commands.names import FUNCTION, SINCE

if TYPE_CHECKING:
    from local.template import FunctionSpec

LINES = 20


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    help=f"How many to begin with: {LINES}, or with --since all of them.",
)
@click.option(
    "--function", "functions", type=FUNCTION, multiple=True, help="Only this function's; repeatable"
)
@click.option(
    "--level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    help="Only lines of this level, or worse.",
)
@click.option("--request", metavar="ID", help="Only lines with this request id.")
@click.option("--since", type=SINCE, help="Only lines since 90s, 5m, 2h, 1d ago, or since 14:05.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are, also on a terminal.")
def logs(
    *,
    follow: bool,
    lines: int | None,
    functions: "tuple[FunctionSpec, ...]",
    level: str | None,
    request: str | None,
    since: float | None,
    as_json: bool,
) -> None:
    """Show the service's log.

    On a terminal a line is made readable; in a pipe, or with --json, it is what the service wrote:
    one JSON object, for each request and whatever else happened. Filters are combined.

    \b
    flashsale logs -f
    flashsale logs --level error --since 1h
    flashsale logs --function checkout --function purchase -n 100
    flashsale logs --request c8cc779f86038134e74286be77480ac6
    flashsale logs --since 5m | jq 'select(.latency_ms > 100)'
    """
    from local.commands.logline import readable
    from local.environment import data_folder, user_environment
    from local.errors import LocalError
    from local.instance import log_file
    from local.logfile import tail
    from local.logfilter import Filter

    log = log_file(data_folder(user_environment()))
    if not log.exists():
        raise LocalError(f"There is no log yet: {log} is written by `make run`")
    wanted = Filter(functions, level.upper() if level else None, request, since)
    if lines is None and since is None:
        lines = LINES
    show = str if as_json or not sys.stdout.isatty() else readable
    for line in tail(log, lines=lines, follow=follow, wanted=wanted.wants, too_old=wanted.is_past):
        click.echo(show(line))
