"""Imports point one way, and nothing is read or reached by importing: STYLE.md's last lines."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYER = ROOT / "layers/flashsale/python"
CORE = LAYER / "flashsale"
FUNCTIONS = sorted(ROOT.glob("functions/*/app.py"))
SHELL = {f"flashsale.{name}" for name in ("api", "bootstrap", "request", "routes", "web")}
USE_CASES = {f"flashsale.{name}" for name in ("shop", "sales", "items", "health", "showcase")}


def module_name(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported; `from a import b` may mean the module a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_of(file: Path) -> set[str]:
    return set(imported(ast.parse(file.read_text())))


def at_import(file: Path) -> set[str]:
    """Only what is imported when the module itself is: not what a function imports when called."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = []
    return set(imported(tree))


def within(found: set[str], packages: set[str]) -> set[str]:
    """Those imports that are of the packages, or in them."""
    return {name for name in found for package in packages if f"{name}.".startswith(f"{package}.")}


MODULES = {module_name(file, LAYER): file for file in CORE.rglob("*.py")}


@pytest.mark.parametrize("name", MODULES)
def test_the_layer_knows_nothing_of_who_uses_it(name: str) -> None:
    assert not within(imports_of(MODULES[name]), {"local", "functions", "tests"})


@pytest.mark.parametrize(("package", "other"), [("inventory", "ledger"), ("ledger", "inventory")])
def test_the_stores_know_neither_the_shop_nor_each_other(package: str, other: str) -> None:
    above = SHELL | USE_CASES | {f"flashsale.{other}"}
    for file in (CORE / package).rglob("*.py"):
        assert not within(imports_of(file), above), file


@pytest.mark.parametrize("name", sorted(USE_CASES))
def test_the_use_cases_know_no_http(name: str) -> None:
    assert not within(imports_of(MODULES[name]), SHELL)


def test_the_words_that_all_speak_know_nothing_else() -> None:
    for name in ("flashsale.errors", "flashsale.model"):
        assert not within(imports_of(MODULES[name]), {"flashsale"})


def test_the_layer_imports_in_no_circle() -> None:
    """A module can be read without a module that needs it."""
    needs = {
        name: {other for other in imports_of(file) if other in MODULES and other != name}
        for name, file in MODULES.items()
    }
    while needs:
        free = {name for name, others in needs.items() if not others & needs.keys()}
        assert free, f"a circle among {sorted(needs)}"
        needs = {name: others for name, others in needs.items() if name not in free}


@pytest.mark.parametrize("file", FUNCTIONS, ids=lambda file: file.parent.name)
def test_a_function_uses_the_layer_by_its_front_door(file: Path) -> None:
    found = imports_of(file)
    assert {name.partition(".")[0] for name in found} <= {"flashsale", *sys.stdlib_module_names}
    stores = within(found, {"flashsale.inventory", "flashsale.ledger"})
    assert stores <= {"flashsale.ledger.migrate", "flashsale.ledger.migrate.migrate"}


@pytest.mark.parametrize("name", ["serve", "gateway", "functions", "scheduler"])
def test_the_emulation_takes_the_layer_from_the_template(name: str) -> None:
    """Late, when the template's settings are in the environment and its layers on the path."""
    assert not within(at_import(ROOT / f"local/{name}.py"), {"flashsale", "functions"})


def test_what_is_not_of_this_shop_does_not_know_it() -> None:
    """The stores, the template and the translation of events would serve any other service."""
    for file in (
        *ROOT.glob("local/stores/*.py"),
        ROOT / "local/template.py",
        ROOT / "local/events.py",
    ):
        assert not within(imports_of(file), {"flashsale", "functions"}), file


def test_only_the_settings_read_the_environment() -> None:
    for name, file in MODULES.items():
        read = {"environ", "environb", "getenv", "getenvb"} & set(_names(file))
        assert not read or name == "flashsale.config", f"{name} reads {read}"


def test_importing_reads_no_setting_and_reaches_no_server() -> None:
    """In a process whose settings are all wrong, and where a connection would be an error."""
    code = """
import importlib.util, sys

def refuse(event, arguments):
    assert event not in ("socket.connect", "subprocess.Popen"), event

sys.addaudithook(refuse)
for name in sys.argv[1].split(","):
    importlib.import_module(name)
for file in sys.argv[2].split(","):
    spec = importlib.util.spec_from_file_location("app", file)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""
    wrong = dict.fromkeys(("DB_PORT", "CODE_KEYS", "LOG_LEVEL", "REDIS_ADDR", "PORT"), "wrong")
    subprocess.run(
        [sys.executable, "-c", code, ",".join(MODULES), ",".join(map(str, FUNCTIONS))],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(LAYER), **wrong},
        check=True,
    )


def _names(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
