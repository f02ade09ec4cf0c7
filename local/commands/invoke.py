"""`flashsale invoke`: one invocation of one function."""

import json
import os
import sys
from typing import Any

import click

from local.commands.names import complete_function


def _parsed(context: click.Context, parameter: click.Parameter, file: Any) -> Any:
    if file is None:
        return {}
    try:
        return json.load(file)
    except ValueError as error:
        raise click.BadParameter(f"it is no JSON: {error}") from None


@click.command()
@click.argument("function", shell_complete=complete_function)
@click.option(
    "-e",
    "--event",
    type=click.File(encoding="utf-8"),
    callback=_parsed,
    help="File with the event, as JSON; - for standard input; {} if not given.",
)
@click.option("--async", "later", is_flag=True, help="Hand it over and don't wait for a result.")
@click.option(
    "--runtime",
    type=click.Choice(["local", "lambda"]),
    help="In this process, or under Lambda's own runtime in a process of its own.",
)
@click.option("--report", is_flag=True, help="Show START, END and REPORT as Lambda writes them.")
def invoke(function: str, event: Any, later: bool, runtime: str | None, report: bool) -> None:
    """Invoke FUNCTION, by its logical id or its folder's name, and print its result.

    It works on the service that runs in this checkout or, if none does, on the servers that
    REDIS_ADDR and DB_HOST name. Its log goes to standard error. If the function fails, its error
    is printed as Lambda tells it (errorType, errorMessage, stackTrace), with exit status 1.

    With --async the running service takes the event, as Lambda takes one of a schedule: a function
    that fails is tried again, as its EventInvokeConfig says, and an event that has failed for good
    becomes a line of dead-letters.jsonl in the data folder. Exit status 3 if the service doesn't
    run.

    \b
    flashsale invoke create_sale
    flashsale invoke CheckoutFunction -e event.json --runtime lambda --report
    echo '{}' | flashsale invoke reconcile -e - --async
    """
    from local.environment import data_folder, running_environment, user_environment
    from local.instance import told, told_by_running

    folder = data_folder(user_environment())
    if later:
        from local.environment import ROOT
        from local.runtime.asynchronous import accept
        from local.runtime.once import find_function
        from local.template import Template

        told_by_running(folder)
        spec = find_function(Template.read(ROOT / "template.yaml"), function)
        click.echo(json.dumps({"StatusCode": 202, "RequestId": accept(folder, spec.name, event)}))
        return

    from local.runtime.once import InvocationFailedError, invoke_once

    if runtime is not None:
        os.environ["FUNCTION_RUNTIME"] = runtime
    if report:
        os.environ["FUNCTION_REPORT"] = "on"
    environment = running_environment(told(folder))
    try:
        result = invoke_once(function, event, environment=environment)
    except InvocationFailedError as failed:
        click.echo(json.dumps(failed.payload, indent=2))
        click.secho("The function failed.", fg="red", err=True)
        sys.exit(1)
    click.echo(json.dumps(result, indent=2))
