"""The group of all commands: loads each when it is asked for, and ends faults in one sentence."""

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from local.interrupt import INTERRUPTED, raise_again

Places = Mapping[str, Mapping[str, str]]


class LazyGroup(click.Group):
    """Commands by section, name and place (`module:attribute`); each is imported at first use."""

    def __init__(self, *, places: Places, **settings: Any) -> None:
        super().__init__(**settings)
        self._sections = places
        self._places = {name: place for each in places.values() for name, place in each.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return None
        module, _, attribute = self._places[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = formatter.width - max(map(len, self._places)) - 6
        for title, places in self._sections.items():
            rows = [
                (name, command.get_short_help_str(width))
                for name in places
                if (command := self.get_command(ctx, name)) is not None
            ]
            with formatter.section(title):
                formatter.write_dl(rows, col_spacing=16 - max(map(len, places)))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what its user can mend ends in one sentence and without a traceback."""
        if os.environ.get("NO_COLOR"):  # https://no-color.org
            ctx.color = False
        raise_again()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise  # click's own
        except Exception as error:
            if not isinstance(error, _told_in_a_sentence()):
                raise
            click.secho(str(error).rstrip(".") + ".", fg="red", err=True)
            sys.exit(getattr(error, "exit_status", 1))


def flashsale_group(places: Places) -> click.Group:
    """The command itself."""
    group = LazyGroup(
        places=places,
        name="flashsale",
        callback=_flashsale,
        help=f"{_flashsale.__doc__}",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    return click.version_option(package_name="flashsale")(group)


@click.pass_context
def _flashsale(ctx: click.Context) -> None:
    """Flashsale: 10,000 unique items an hour, each sold once.

    \b
    flashsale up                   run everything here, until Ctrl-C
    flashsale up -d                the same, behind your back; flashsale down ends it
    flashsale doctor               what is missing on this machine, and how to mend it
    flashsale logs -f --level warning
    flashsale test all             try the service that runs
    flashsale COMMAND --help       more of each

    Settings are environment variables, or lines in .env: README.md lists them.

    Exit status: 0 fine; 1 failed, or a promise broken; 2 the command line is wrong; 3 the service
    doesn't run; 130 interrupted.
    """
    ctx.obj = _state


def _state() -> Mapping[str, Any] | None:
    """For `bench`: what the service that runs has told about itself."""
    from local.environment import data_folder, user_environment
    from local.instance import told

    return told(data_folder(user_environment()))


def _told_in_a_sentence() -> tuple[type[Exception], ...]:
    from flashsale.errors import ConfigError, Fault

    from local.errors import LocalError
    from local.stores import StoreError
    from local.template import TemplateError

    return LocalError, StoreError, TemplateError, ConfigError, Fault
