"""A line of the log, for people."""

from datetime import datetime
from typing import Any

import click

from local.logfilter import moment, parse

LEVEL_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
STATUS_COLOURS = {2: "green", 3: "green", 4: "yellow", 5: "red"}
# Every line has these, or they are shown in their own way.
SHOWN = {"level", "message", "timestamp", "service", "location", "exception", "exception_name"}
SHOWN_OF_REQUESTS = {"route", "status", "outcome", "latency_ms", "request_id"}


def readable(line: str) -> str:
    """Time, then what happened, then other fields by name; a traceback below. What is no JSON
    object stays as it is."""
    told = parse(line)
    if not told:
        return line
    noted = moment(told)
    clock = datetime.fromtimestamp(noted).astimezone().strftime("%H:%M:%S.%f")[:-3] if noted else ""
    head = click.style(f"{clock:12}", dim=True)
    if "_aws" in told:
        return f"{head}  {click.style('metric', fg='cyan')}  {_fields(told, {'_aws', 'service'})}"
    if told.get("message") == "request":
        return f"{head}  {_request(told)}"
    level = str(told.get("level", ""))
    label = click.style(f"{level:7}", fg=LEVEL_COLOURS.get(level))
    text = f"{head}  {label}  {click.style(str(told.get('message')), bold=True)}"
    text = "  ".join(filter(None, (text, _fields(told, SHOWN))))
    return f"{text}\n{told['exception']}" if "exception" in told else text


def _request(told: dict[str, Any]) -> str:
    status = told.get("status", 0)
    shown = click.style(
        f"{status} {told.get('outcome', ''):<16}", fg=STATUS_COLOURS.get(int(status) // 100)
    )
    rest = _fields(told, SHOWN | SHOWN_OF_REQUESTS)
    parts = (
        f"{told.get('route', ''):<22} {shown} {told.get('latency_ms', 0):>8.2f} ms ",
        click.style(str(told.get("request_id", "")), dim=True),
        rest,
    )
    return " ".join(filter(None, parts))


def _fields(told: dict[str, Any], but: set[str]) -> str:
    return "  ".join(f"{name}={value}" for name, value in told.items() if name not in but)
