"""`flashsale url` and `flashsale psql`: the ways to the stores."""

import os

import click


@click.command()
@click.argument("what", type=click.Choice(["gateway", "redis", "postgres"]))
def url(what: str) -> None:
    """Print one URL, password and all. Exit status 3 if the service doesn't run.

    \b
    redis-cli -u "$(flashsale url redis)"
    psql "$(flashsale url postgres)"
    curl "$(flashsale url gateway)/stats"
    """
    from local.environment import data_folder, user_environment
    from local.instance import told_by_running

    click.echo(told_by_running(data_folder(user_environment()))[what])


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open the database in PostgreSQL's own terminal.

    It is the psql that came with the install, and the arguments are psql's own. Exit status 3 if
    the service doesn't run, else psql's.

    \b
    flashsale psql
    flashsale psql -c "select * from purchases order by created_at desc limit 5"
    """
    from local.addresses import store_variables
    from local.environment import data_folder, user_environment
    from local.instance import told_by_running
    from local.stores.programs import psql as bundled_psql

    settings = store_variables(told_by_running(data_folder(user_environment())))
    program = bundled_psql()
    # By the environment, since anybody can read a command line.
    login = {
        "PGHOST": settings["DB_HOST"],
        "PGPORT": settings["DB_PORT"],
        "PGUSER": settings["DB_USER"],
        "PGPASSWORD": settings["DB_PASSWORD"],
        "PGDATABASE": settings["DB_NAME"],
        "PGSSLMODE": settings["DB_SSLMODE"],
    }
    os.execve(program, [str(program), *arguments], {**os.environ, **login})  # noqa: S606
