"""`flashsale audit`: hold a sale against its promises."""

import json
import sys

import click


@click.command()
@click.option(
    "--sale", "sale_id", help="The sale, as /stats names it; the current one if not given."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def audit(sale_id: str | None, as_json: bool) -> None:
    """Hold a sale against its promises, in both stores.

    Exit status 1 if one is broken. It reads the service that runs in this checkout or, if none
    does, the servers that REDIS_ADDR and DB_HOST name, as in production. It changes nothing, and
    may run in mid-sale.

    \b
    flashsale audit
    flashsale audit --sale sale_1795348800_6caab822 --json
    """
    from local.audit import audit_sale, table
    from local.environment import data_folder, running_environment, user_environment
    from local.instance import told

    state = told(data_folder(user_environment()))
    report = audit_sale(running_environment(state), sale_id)
    click.echo(json.dumps(report) if as_json else table(report))
    sys.exit(1 if report["violations"] else 0)
