"""The command `flashsale`."""

import json
import os
import sys
from typing import Any

import click

from local.addresses import store_variables
from local.bench.command import bench
from local.environment import data_folder, running_environment, user_environment
from local.errors import LocalError
from local.logfile import tail
from local.stores import StoreError
from local.stores.programs import psql as bundled_psql
from local.template import TemplateError
from local.up import Up, log_file, state_file

NOT_RUNNING = 3


class _Sentences(click.Group):
    """Ends with one sentence for what the user can mend, and no traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        from flashsale.errors import ConfigError, Fault

        try:
            return super().invoke(ctx)
        except (LocalError, StoreError, TemplateError, ConfigError, Fault) as error:
            click.secho(str(error).rstrip(".") + ".", fg="red", err=True)
            sys.exit(1)


@click.group(cls=_Sentences)
@click.version_option(package_name="flashsale")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Flashsale: 10,000 unique items an hour, each sold once."""
    ctx.obj = _state  # for `bench`: where to send its crowd


main.add_command(bench)


@main.command()
def up() -> None:
    """Run the whole service here until Ctrl-C: Valkey, PostgreSQL, the schedule, the gateway.

    \b
    PORT=8081 flashsale up            on another port
    DATA_DIR=/tmp/shop flashsale up   with data of its own
    """
    Up(_say).run(_banner)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def status(as_json: bool) -> None:
    """Tell whether the service runs in this checkout, and where. Exit status 3 if it doesn't.

    The JSON object has the keys gateway, redis and postgres: URLs, passwords and all, as curl,
    redis-cli and psql take them.
    """
    state = _state()
    if state is None:
        click.echo(json.dumps({"running": False}) if as_json else "Not running: `make run`")
        sys.exit(NOT_RUNNING)
    if as_json:
        click.echo(json.dumps({"running": True, **state}))
    else:
        _banner(state)


@main.command()
@click.argument("what", type=click.Choice(["gateway", "redis", "postgres"]))
def url(what: str) -> None:
    """Print one URL, password and all.

    \b
    redis-cli -u "$(flashsale url redis)"
    psql "$(flashsale url postgres)"
    """
    click.echo(_running()[what])


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open the database with the psql that came with the install; the arguments are psql's own.

    \b
    flashsale psql -c "select * from purchases order by created_at desc limit 5"
    """
    settings = store_variables(_running())
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


@main.command()
@click.option(
    "--sale", "sale_id", help="The sale, as /stats names it; the current one if not given."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def audit(sale_id: str | None, as_json: bool) -> None:
    """Hold a sale against its promises, in both stores; exit status 1 if one is broken.

    It reads the service that runs in this checkout or, if none does, the servers that REDIS_ADDR
    and DB_HOST name, as in production. It changes nothing, and may run in mid-sale.
    """
    from local.audit import audit_sale, table

    report = audit_sale(running_environment(_state()), sale_id)
    click.echo(json.dumps(report) if as_json else table(report))
    sys.exit(1 if report["violations"] else 0)


@main.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--lines", default=20, show_default=True, help="How many to begin with.")
def logs(follow: bool, lines: int) -> None:
    """Show the service's log: one JSON object a line."""
    log = log_file(data_folder(user_environment()))
    if not log.exists():
        raise LocalError(f"There is no log yet: {log} is written by `make run`")
    try:
        for line in tail(log, lines=lines, follow=follow):
            click.echo(line)
    except KeyboardInterrupt:
        pass


def _state() -> dict[str, Any] | None:
    """What the running service has told about itself; None if none runs."""
    file = state_file(data_folder(user_environment()))
    try:
        state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        os.kill(state["pid"], 0)
    except (FileNotFoundError, ProcessLookupError):
        return None
    except PermissionError:
        raise LocalError(f"{file} belongs to another user") from None
    return state


def _running() -> dict[str, str]:
    state = _state()
    if state is None:
        raise LocalError("The service doesn't run in this checkout: start it by `make run`")
    return state


def _say(line: str) -> None:
    click.secho(f"  {line}", dim=True)


def _banner(state: dict[str, Any]) -> None:
    api = state["gateway"]
    command = os.path.relpath(sys.argv[0])
    rows = {
        "Flashsale is on": api,
        "buy": f'curl -X POST "{api}/checkout?user_id=alice&id=1"',
        "look": f"{api}/stats   {api}/items   {api}/health",
        "redis": f'redis-cli -u "$({command} url redis)"',
        "psql": f'psql "$({command} url postgres)"   or   {command} psql',
        "logs": f"{command} logs -f",
    }
    click.echo()
    for name, value in rows.items():
        click.echo(f"  {click.style(name.ljust(16), bold=True)}{value}")
    click.echo()


if __name__ == "__main__":
    main()
