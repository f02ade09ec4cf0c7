"""`flashsale down`: end the service that runs here."""

import json

import click


@click.command()
@click.option("--timeout", default=60, show_default=True, help="Longest wait for its end, seconds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def down(timeout: int, as_json: bool) -> None:
    """End the service that runs here.

    It may be detached or in front. What is in flight is answered, the data stay, and the command
    returns when all of it is gone. Exit status 0 also if nothing ran: there is nothing
    left to do then; 1 if something still runs after the timeout.

    \b
    flashsale down
    flashsale down && flashsale reset --yes
    """
    from local.environment import data_folder, user_environment
    from local.stop import stop

    stopped = stop(data_folder(user_environment()), seconds_max=timeout)
    if as_json:
        click.echo(json.dumps({"was_running": stopped is not None, "pid": stopped}))
    else:
        click.echo("Not running" if stopped is None else f"Stopped (process {stopped})")
