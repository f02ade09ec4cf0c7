"""`flashsale up`: run the service, in front or detached."""

import os
import sys
from typing import Any

import click

from local.commands.terminal import show_banner
from local.interrupt import exit_at_once


@click.command()
@click.option("-d", "--detach", is_flag=True, help="Return once it is up, and leave it running.")
@click.option(
    "--runtime",
    type=click.Choice(["local", "lambda"]),
    help="Functions in the gateway's own process, or each in processes of its own under Lambda's"
    " runtime; FUNCTION_RUNTIME if not given, else local.",
)
@click.option("--reload", is_flag=True, help="Follow changes of the code and of template.yaml.")
@click.option("--report", is_flag=True, help="Log START, END and REPORT of every invocation.")
def up(*, detach: bool, runtime: str | None, reload: bool, report: bool) -> None:
    """Run the whole service on this machine.

    That is Valkey, PostgreSQL, the schedule and the gateway. In front it runs until Ctrl-C, or
    until `flashsale down` from another terminal. Exit status 1, and one sentence, if it can't
    start; nothing is left running then.

    \b
    flashsale up
    flashsale up -d                       write to logs/up.log in the data folder
    flashsale up --reload                 while you work on a function
    flashsale up --runtime lambda         with cold starts and all
    PORT=8081 flashsale up                on another port
    DATA_DIR=/tmp/shop flashsale up       with data of its own
    """
    exit_at_once()  # until the service takes over: there is nothing to clean up, much to import
    from local.environment import data_folder, user_environment
    from local.instance import require_none_up

    require_none_up(data_folder(user_environment()))
    if runtime is not None:
        os.environ["FUNCTION_RUNTIME"] = runtime
    if report:
        os.environ["FUNCTION_REPORT"] = "on"
    if detach:
        from local.detached import start_detached

        show_banner(start_detached(_say, reload=reload))
    else:
        from local.up import Up

        Up(_say, reload=reload).run(_when_up)


def _say(line: str) -> None:
    click.secho(f"  {line}", dim=True)


def _when_up(state: dict[str, Any]) -> None:
    show_banner(state)
    sys.stdout.flush()
