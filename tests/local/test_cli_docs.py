"""docs/CLI.md has every command and every option, each command with an example, and no others."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from local.cli import COMMANDS
from local.commands.group import flashsale_group

DOCUMENT = Path(__file__).parents[2] / "docs" / "CLI.md"
HEADING = re.compile(r"^#+ (flashsale [a-z ]+)$", re.MULTILINE)


def commands(
    command: click.Command, context: click.Context, name: str
) -> Iterator[tuple[str, click.Command]]:
    """All of them with their full names, groups and what is in them."""
    yield name, command
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            assert inner is not None
            yield from commands(inner, click.Context(inner, parent=context), f"{name} {each}")


ROOT = flashsale_group(COMMANDS)
FOUND = dict(commands(ROOT, click.Context(ROOT, **ROOT.context_settings), "flashsale"))
GROUPS = {name for name, command in FOUND.items() if isinstance(command, click.Group)}


def sections() -> dict[str, str]:
    """The text below each command's heading; `flashsale` has what comes before the first."""
    first, *rest = HEADING.split(DOCUMENT.read_text(encoding="utf-8"))
    return {"flashsale": first, **dict(zip(rest[::2], rest[1::2], strict=True))}


def test_every_command_has_a_section_and_nothing_else_has() -> None:
    assert list(sections()) == list(FOUND)


@pytest.mark.parametrize("name", FOUND)
def test_every_option_is_described(name: str) -> None:
    """In the table of its section: all of them, and none that it hasn't."""
    context = click.Context(FOUND[name], **ROOT.context_settings)
    options = {
        text
        for parameter in FOUND[name].get_params(context)
        if isinstance(parameter, click.Option)
        and (name == "flashsale" or "--help" not in parameter.opts)
        for text in parameter.opts
    }
    rows = [line for line in sections()[name].splitlines() if line.startswith("| `-")]
    described = [row.split(" | ")[0] for row in rows]
    assert set(re.findall(r"`(--?[a-z][a-z-]*)", "\n".join(described))) == options


@pytest.mark.parametrize("name", sorted(FOUND.keys() - GROUPS))
def test_every_command_has_an_example(name: str) -> None:
    examples = re.findall(r"```console\n(.*?)```", sections()[name], re.DOTALL)
    typed = [line for text in examples for line in text.splitlines() if line.startswith("$")]
    assert [line for line in typed if name in line]
