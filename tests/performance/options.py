"""The options that all measurements under load have."""

import argparse

from tests.performance import stage


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser with --connections, --processes and --json, of `tests.performance.<name>`."""
    made = argparse.ArgumentParser(
        prog=f"python -m tests.performance.{name}", description=description
    )
    made.add_argument("--connections", type=int, default=64, help="of the generator (64)")
    made.add_argument("--processes", type=int, default=stage.default_processes())
    made.add_argument("--json", action="store_true", help="one JSON object")
    return made
