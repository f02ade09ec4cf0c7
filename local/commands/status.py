"""`flashsale status`: how the service does."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from local.commands.terminal import duration, show_banner, show_rows

COLOURS = {"up": "green", "unsafe": "yellow", "down": "red", "closed": None, "open": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def status(as_json: bool) -> None:
    """Tell whether the service runs, where, and how it does.

    Exit status 0 if it is up and healthy, 1 if it is not (or still starting, or stopping), 3 if it
    doesn't run. The JSON object has the URLs gateway, redis and postgres, passwords and all, as
    curl, redis-cli and psql take them; pid, uptime_seconds and processes; and sale and health, as
    GET /stats and GET /health answer.

    \b
    flashsale status
    until flashsale status > /dev/null; do sleep 1; done
    flashsale status --json | jq -r .gateway
    """
    from local.condition import condition
    from local.environment import data_folder, user_environment

    found = condition(data_folder(user_environment()))
    if as_json:
        click.echo(json.dumps(found))
    elif "gateway" in found:
        _show(found)
    else:
        click.echo(
            f"Starting or stopping (process {found['pid']})"
            if found["pid"]
            else "Not running: `make run`"
        )
    sys.exit(0 if found["healthy"] else 1 if found["pid"] else 3)


def _show(found: Mapping[str, Any]) -> None:
    show_banner(found)
    processes = [
        f"{each['name']} {each['pid']} ({each['memory_mib']:.0f} MiB, {each['cpu_seconds']:.1f} s)"
        for each in found["processes"]
    ]
    rows = {
        "up for": f"{duration(found['uptime_seconds'])}, process {found['pid']}",
        "health": _health(found["health"]),
        "sale": _sale(found["sale"]),
        "processes": ("\n" + " " * 18).join(processes),
    }
    show_rows(rows)


def _health(health: Mapping[str, Any] | None) -> str:
    if health is None:
        return click.style("the gateway doesn't answer", fg="red")
    stores = [
        f"{name} {click.style(check['status'], fg=COLOURS.get(check['status']))}"
        f" ({check['latency_ms']:.1f} ms, breaker"
        f" {click.style(check['breaker'], fg=COLOURS.get(check['breaker'], 'yellow'))})"
        for name, check in health.get("checks", {}).items()
    ]
    problems = [p for check in health.get("checks", {}).values() for p in check["problems"]]
    return "; ".join([*stores, *problems]) or str(health.get("message"))


def _sale(sale: Mapping[str, Any] | None) -> str:
    if sale is None:
        return click.style("/stats doesn't answer", fg="red")
    stats = sale["stats"]
    return (
        f"{sale['sale_id']}, {int(stats['items_sold']):,} of {int(stats['total_items']):,} sold,"
        f" ends in {duration(sale['seconds_left'])}"
    )
