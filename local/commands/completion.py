"""`flashsale completion`: let the shell complete commands, options, functions and schedules."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes this command in a shell.

    \b
    eval "$(flashsale completion bash)"                         # in ~/.bashrc
    eval "$(flashsale completion zsh)"                          # in ~/.zshrc
    flashsale completion fish > ~/.config/fish/completions/flashsale.fish
    """
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - one of SHELLS
    click.echo(made(ctx.find_root().command, {}, "flashsale", "_FLASHSALE_COMPLETE").source())
