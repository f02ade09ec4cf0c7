"""What several commands say in the same words."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click


def command_name() -> str:
    """The command as the user can type it here."""
    installed = Path(sys.prefix, "bin", "flashsale")
    found = shutil.which("flashsale")
    if found is not None and Path(found).resolve() == installed.resolve():
        return "flashsale"
    return os.path.relpath(installed)


def show_banner(state: Mapping[str, Any]) -> None:
    """Where the service is and what one can do with it."""
    api, command = state["gateway"], command_name()
    show_rows(
        {
            "Flashsale is on": api,
            "buy": f'curl -X POST "{api}/checkout?user_id=alice&id=1"',
            "look": f"{api}/stats   {api}/items   {api}/health",
            "redis": f'redis-cli -u "$({command} url redis)"',
            "psql": f'psql "$({command} url postgres)"   or   {command} psql',
            "logs": f"{command} logs -f",
        }
    )


def show_rows(rows: Mapping[str, str]) -> None:
    """Two columns, the first one bold, between empty lines."""
    click.echo()
    for name, value in rows.items():
        click.echo(f"  {click.style(name.ljust(16), bold=True)}{value}")
    click.echo()


def duration(seconds: float) -> str:
    """For people: `42 s`, `5 min 3 s`, `2 h 4 min`, `3 d 1 h`."""
    left, parts = int(seconds), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or unit == "s":
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2] if len(parts) < 2 or not parts[1].startswith("0 ") else parts[:1])


def service_url() -> str:
    """The URL of the service that runs here. Raises `NotRunningError`."""
    from local.environment import data_folder, user_environment
    from local.instance import told_by_running

    return str(told_by_running(data_folder(user_environment()))["gateway"])
