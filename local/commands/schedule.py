"""`flashsale schedule`: what runs by itself, and running it now."""

import json
from typing import Any

import click

from local.commands.names import complete_scheduled


@click.group()
def schedule() -> None:
    """See what runs by itself and when, and run it now.

    \b
    flashsale schedule list
    flashsale schedule run create_sale --at 14:00
    """


@schedule.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def list_schedules(as_json: bool) -> None:
    """List the schedules of template.yaml: when each is due next, and how it ran last.

    Times are in the schedule's time zone.

    \b
    flashsale schedule list
    flashsale schedule list --json | jq -r '.schedules[] | .name + " " + .next[0]'
    """
    from datetime import UTC, datetime

    from local.environment import ROOT, data_folder, user_environment
    from local.runs import read_notes
    from local.template import Template
    from local.timetable import entries

    notes = read_notes(data_folder(user_environment()))
    now = datetime.now(UTC)
    told = [
        entry.told(notes.get(entry.schedule.name, {}), now)
        for entry in entries(Template.read(ROOT / "template.yaml"))
    ]
    if as_json:
        click.echo(json.dumps({"schedules": told}))
    else:
        for each in told:
            _show(each)


@schedule.command()
@click.argument("function", shell_complete=complete_scheduled)
@click.option(
    "--at", metavar="TIME", help="14:00, 2027-01-31T14:00 or 2027-01-31T14:00Z; now if not given."
)
def run(function: str, at: str | None) -> None:
    """Run a schedule's function now, and print what it did.

    FUNCTION is its folder, its logical id, or the name of one of its schedules. It gets the event
    that its schedule would have given it at TIME, in the schedule's time zone: create_sale opens
    the sale of that hour, be it one that was missed or one to come. Exit status 1 if it fails.

    \b
    flashsale schedule run create_sale
    flashsale schedule run create_sale --at 14:00
    flashsale schedule run ReconcileFunctionEveryMinute
    """
    from datetime import UTC, datetime

    from local.environment import ROOT, data_folder, user_environment
    from local.instance import told, told_by_running
    from local.template import Template
    from local.timetable import entries, find, moment
    from local.timetable import run as run_entry

    template = Template.read(ROOT / "template.yaml")
    entry = find(entries(template), function)
    now = datetime.now(UTC)
    due = now if at is None else moment(at, entry.schedule, now)
    user = user_environment()
    elsewhere = "REDIS_ADDR" in user and "DB_HOST" in user
    state = told(data_folder(user)) if elsewhere else told_by_running(data_folder(user))
    result = run_entry(entry, due, template, state)
    click.echo(json.dumps(result, indent=2))


def _show(told: dict[str, Any]) -> None:
    from local.commands.terminal import duration

    click.echo(f"{click.style(told['name'], bold=True)}  {told['expression']}  {told['timezone']}")
    click.echo(f"  function  {told['folder']}")
    if not told["enabled"]:
        click.echo("  next      never: it is disabled")
    elif not told["next"]:
        click.echo("  next      never again")
    else:
        first, *later = told["next"]
        rest = "".join(f", {each}" for each in later)
        click.echo(f"  next      {first} (in {duration(told['seconds_until'])}){rest}")
    click.echo(f"  last      {_last(told['last'])}")


def _last(note: dict[str, Any] | None) -> str:
    if note is None:
        return "not known"
    text = f"{note['due']}, {note['outcome']} in {note['seconds']} s"
    if note["outcome"] == "ok":
        return click.style(text, fg="green")
    return click.style(f"{text}, attempt {note['attempts']}: {note['error']}", fg="red")
