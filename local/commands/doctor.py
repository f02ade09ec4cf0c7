"""`flashsale doctor`: what is missing or wrong on this machine."""

import json
import sys
from dataclasses import asdict

import click

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def doctor(as_json: bool) -> None:
    """Find what is missing or wrong here, and how to mend it.

    It looks at Python and its packages, the stores' programs, the settings, the data folder, the
    port, what is left of an earlier run, disk, memory, limits, the clock, and at tools that some
    tasks need. It starts nothing and changes nothing. Exit status 1 if anything fails; a warning is
    for something that only some will miss.

    \b
    flashsale doctor
    flashsale doctor --json | jq '.checks[] | select(.state != "ok")'
    """
    from local.doctor.examine import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            state = click.style(f"{finding.state:4}", fg=COLOURS[finding.state])
            click.echo(f"  {state}  {finding.name:<16}{finding.detail}")
            if finding.remedy:
                click.echo(f"  {'':24}{click.style(finding.remedy, bold=True)}")
    failed = sum(finding.state == "fail" for finding in findings)
    warned = sum(finding.state == "warn" for finding in findings)
    if as_json:
        checks = [asdict(finding) for finding in findings]
        click.echo(json.dumps({"healthy": not failed, "checks": checks}))
    else:
        click.echo(f"\n  {failed} failed, {warned} warnings")
    sys.exit(1 if failed else 0)
