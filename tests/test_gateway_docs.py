"""docs/GATEWAY.md promises a test for each behaviour: they are all there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/GATEWAY.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
BEHAVIOURS = [
    line
    for table in re.findall(r"\| behaviour \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT)
    for line in table.splitlines()
]


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert name in {node.name for node in tree.body if isinstance(node, kinds)}


@pytest.mark.parametrize("line", BEHAVIOURS)
def test_every_behaviour_has_a_test(line: str) -> None:
    _, behaviour, _, named, _ = line.split("|")
    assert behaviour.strip()
    assert re.search(r"`tests/[\w/]+\.py::\w+`", named) or named.strip() == "the same"


def test_there_is_something_to_check() -> None:
    assert len(BEHAVIOURS) > 40
    assert len(NAMED) > len(BEHAVIOURS) - 5
