"""`flashsale logs`: what the service has noted."""

import click


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--lines", default=20, show_default=True, help="How many to begin with.")
def logs(follow: bool, lines: int) -> None:
    """Show the service's log: one JSON object a line.

    \b
    flashsale logs -f
    """
    from local.environment import data_folder, user_environment
    from local.errors import LocalError
    from local.instance import log_file
    from local.logfile import tail

    log = log_file(data_folder(user_environment()))
    if not log.exists():
        raise LocalError(f"There is no log yet: {log} is written by `make run`")
    for line in tail(log, lines=lines, follow=follow):
        click.echo(line)
