"""The command `flashsale` where no service runs: what it says, with which status, how soon."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.cli import COMMANDS
from local.stores.folder import lock
from tests.local.running import COMMAND, free_port

NAMES = [name for places in COMMANDS.values() for name in places]
# What makes a service, or reads its template: nothing that a help text or a completion needs.
HEAVY = {
    "aws_lambda_powertools",
    "flashsale",
    "greenlet",
    "local.environment",
    "local.up",
    "pg8000",
    "psutil",
    "starlette",
    "uvicorn",
    "uvloop",
    "yaml",
}

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs the command with a data folder of the test's own, in which nothing runs."""

    def run(
        *arguments: str, answer: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        own = {"DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port())}
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**os.environ, **own, **environment},
            input=answer,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("asked", [["--help"], ["up", "--help"], ["completion", "bash"]])
def test_help_and_completion_import_little(asked: list[str]) -> None:
    code = """
import sys
from local.cli import main
sys.argv = ["flashsale", *sys.argv[1:]]
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
    told = subprocess.run(
        [sys.executable, "-c", code, *asked], capture_output=True, text=True, check=True
    )
    modules = {name for module in told.stderr.split() for name in (module, module.split(".")[0])}
    assert "click" in modules
    assert not HEAVY & modules


def test_each_command_is_in_the_help_with_a_whole_sentence(command: Command) -> None:
    """In the list of all of them: a sentence that is cut off tells nobody what it does."""
    told = command("--help")
    assert told.returncode == 0
    rows = {line.split()[0]: line for line in told.stdout.splitlines() if line.strip()}
    assert not [name for name in NAMES if not rows[name].rstrip().endswith(".")]


@pytest.mark.parametrize("name", NAMES)
def test_each_command_has_examples_in_its_help(command: Command, name: str) -> None:
    told = command(name, "--help")
    assert told.returncode == 0
    assert f"flashsale {name}" in told.stdout.partition("Options:")[0].split("Usage:")[1][30:]


def test_a_wrong_command_line_has_status_2(command: Command) -> None:
    for wrong in (["nothing"], ["up", "--nothing"], ["logs", "--since", "ages"], ["test"]):
        told = command(*wrong)
        assert told.returncode == 2, wrong
        assert "Error: " in told.stderr
        assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    "arguments", [["url", "gateway"], ["psql", "-c", "select 1"], ["status"], ["test", "basic"]]
)
def test_what_needs_a_running_service_has_status_3_without_one(
    command: Command, arguments: list[str]
) -> None:
    told = command(*arguments)
    assert told.returncode == 3
    assert (told.stdout + told.stderr).count("\n") == 1


def test_down_has_nothing_to_do_where_nothing_runs(command: Command) -> None:
    told = command("down", "--json")
    assert told.returncode == 0
    assert json.loads(told.stdout) == {"was_running": False, "pid": None}


def test_the_state_of_a_run_that_was_killed_is_not_believed(
    command: Command, tmp_path: Path
) -> None:
    """Its process id may be anybody's by now, as this test's here; so may that of its lock."""
    folder = tmp_path / "data"
    folder.mkdir()
    state = {"pid": os.getpid(), "gateway": "http://127.0.0.1:1", "since": 0, "processes": {}}
    (folder / "run.json").write_text(json.dumps(state))
    (folder / "lock").write_text(str(os.getpid()))
    assert command("status").returncode == 3
    assert command("url", "gateway").returncode == 3
    assert command("down").returncode == 0


def test_errors_are_red_on_request_of_nobody(command: Command) -> None:
    """In a pipe there are no colours, whatever NO_COLOR says."""
    for environment in ({}, {"NO_COLOR": "1"}):
        assert "\x1b" not in command("url", "gateway", **environment).stderr


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_has_colours_unless_no_color_is_set(
    tmp_path: Path, environment: dict[str, str], coloured: bool
) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*COMMAND, "url", "gateway"],
        env={**os.environ, "DATA_DIR": str(tmp_path), "TERM": "xterm", **environment},
        stderr=theirs,
    ) as process:
        os.close(theirs)
        told = os.read(ours, 4_096)
        process.wait(20)
    os.close(ours)
    assert (b"\x1b[31m" in told) is coloured
    assert b"doesn't run" in told


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(command: Command, shell: str) -> None:
    told = command("completion", shell)
    assert told.returncode == 0
    assert f"_FLASHSALE_COMPLETE={shell}_complete" in told.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("flashsale do", ["doctor", "down"]),
        ("flashsale logs --function p", ["persist_attempts", "picture", "purchase"]),
        ("flashsale invoke ch", ["checkout"]),
        ("flashsale schedule l", ["list"]),
        ("flashsale schedule run recon", ["reconcile"]),
        ("flashsale test b", ["basic", "benchmark"]),
        ("flashsale bench s", ["sellout", "soak", "soldout"]),
        ("flashsale up --det", ["--detach"]),
    ],
)
def test_the_shell_is_offered_what_fits(command: Command, typed: str, offered: list[str]) -> None:
    words = {
        "_FLASHSALE_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    told = command(**words)
    assert sorted(line.removeprefix("plain,") for line in told.stdout.split()) == offered


def test_reset_asks_and_then_removes_what_is_the_services(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "logs").mkdir(parents=True)
    (folder / "valkey").mkdir()
    (folder / "code-keys").write_text("1:00")
    (folder / "holiday.jpg").write_text("not the service's")
    told = command("reset", answer="n\n")
    assert told.returncode == 1
    assert (folder / "code-keys").exists()

    told = command("reset", answer="y\n")
    assert told.returncode == 0
    assert "holiday.jpg" in told.stdout
    assert [path.name for path in folder.iterdir()] == ["holiday.jpg"]

    (folder / "holiday.jpg").unlink()
    assert command("reset", "--yes").returncode == 0
    assert not folder.exists()
    assert command("reset").returncode == 0


def test_reset_refuses_while_somebody_uses_the_folder(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with lock(folder, name="Flashsale"):
        told = command("reset", "--yes")
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert "flashsale down" in told.stderr
    assert folder.exists()
