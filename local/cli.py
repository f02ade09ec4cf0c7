"""The command `flashsale`: which commands there are, and where. Nothing is imported before it is
needed, so that `--help` and completion take no longer than Python itself."""

from local.interrupt import exit_at_once

# What `flashsale --help` lists, in its order: a title, then each command's name and place.
COMMANDS = {
    "Run it": {
        "up": "local.commands.up:up",
        "down": "local.commands.down:down",
        "status": "local.commands.status:status",
        "logs": "local.commands.logs:logs",
        "reset": "local.commands.reset:reset",
        "doctor": "local.commands.doctor:doctor",
    },
    "Look inside": {
        "url": "local.commands.stores:url",
        "psql": "local.commands.stores:psql",
        "audit": "local.commands.audit:audit",
        "schedule": "local.commands.schedule:schedule",
    },
    "Try it": {
        "invoke": "local.commands.invoke:invoke",
        "test": "local.commands.test:test",
        "bench": "local.bench.command:bench",
        "cost": "local.commands.cost:cost",
    },
    "This command": {
        "completion": "local.commands.completion:completion",
    },
}


def main() -> None:
    """Run the command, and exit with its status."""
    exit_at_once()
    from local.commands.group import flashsale_group

    flashsale_group(COMMANDS)(prog_name="flashsale")


if __name__ == "__main__":
    main()
