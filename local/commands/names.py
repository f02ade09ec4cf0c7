"""Arguments that name something of this service, or a time; each completed by the shell."""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from local.template import FunctionSpec, Template

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class FunctionName(click.ParamType["FunctionSpec"]):
    """A function of the template: its folder's name or its resource's, in any case."""

    name = "function"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "FunctionSpec":
        specs = _template().functions
        named = {name.lower(): spec for spec in specs for name in (spec.name, spec.folder.name)}
        if str(value).lower() not in named:
            known = ", ".join(spec.folder.name for spec in specs)
            self.fail(f"{value!r} is none of {known}", param, ctx)
        return named[str(value).lower()]

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return complete_function(ctx, param, incomplete)


class Since(click.ParamType[float]):
    """How long ago (`90s`, `5m`, `2h`, `1d`), or when (`14:05`, `2026-11-22T14:05`, local time
    unless it says otherwise); the value is in Unix seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        number, unit = value[:-1], value[-1:]
        if number.isdecimal() and unit in _UNITS:
            return time.time() - int(number) * _UNITS[unit]
        today = datetime.now().astimezone().date().isoformat()
        try:
            text = f"{today}T{value}" if value[2:3] == ":" else value
            return datetime.fromisoformat(text).astimezone().timestamp()
        except ValueError:
            self.fail(f"{value!r} is neither like 5m nor like 2026-11-22T14:05", param, ctx)


FUNCTION, SINCE = FunctionName(), Since()


def complete_function(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The functions of the template, by their folders' names."""
    return _fitting((spec.folder.name for spec in _template().functions), incomplete)


def complete_scheduled(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Those that run by a schedule, and their schedules' names."""
    specs = [spec for spec in _template().functions if spec.schedules]
    schedules = [schedule.name for spec in specs for schedule in spec.schedules]
    return _fitting([*(spec.folder.name for spec in specs), *schedules], incomplete)


def _fitting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _template() -> "Template":
    from local.environment import ROOT
    from local.template import Template

    return Template.read(ROOT / "template.yaml")
