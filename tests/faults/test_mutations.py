"""Planted bugs: each must be caught by the check that is named for it, and docs/MUTATIONS.md says
so. A mutant is a copy of the layer, never the working tree."""

import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.faults.mutations.in_lua import IN_LUA
from tests.faults.mutations.in_python import IN_PYTHON
from tests.faults.mutations.in_sql import IN_SQL
from tests.faults.mutations.mutation import Mutation, bug
from tests.faults.mutations.runner import Runner, Verdict
from tests.faults.mutations.table import table

MUTATIONS: dict[str, Mutation] = IN_SQL | IN_LUA | IN_PYTHON
MUTATIONS_MIN = 20
HEALTHY = Mutation("none", "", ())
DOCUMENT = Path(__file__).parents[2] / "docs" / "MUTATIONS.md"


@pytest.fixture(scope="module")
def verdicts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[Verdict]"]]:
    """The verdicts on all mutants that are asked about, two being tried at a time."""
    runner = Runner(tmp_path_factory.mktemp("mutants"))
    asked = [
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        if item.function in (test_it_is_caught, test_without_a_bug_nothing_is_caught)
    ]
    started = {}
    for name in asked:
        mutation = MUTATIONS.get(name, HEALTHY)
        checks = sorted({one.check for one in MUTATIONS.values()}) if mutation is HEALTHY else []
        started[name] = runner.start(name, mutation, checks)
    yield started
    runner.close()


@pytest.mark.parametrize("name", ["healthy"])
def test_without_a_bug_nothing_is_caught(verdicts: dict[str, "Future[Verdict]"], name: str) -> None:
    """All checks pass on a copy of the layer as it is: so what fails them is the bug."""
    verdict = verdicts[name].result()
    assert verdict.code == 0, verdict.output


@pytest.mark.parametrize("name", MUTATIONS)
def test_it_is_caught(verdicts: dict[str, "Future[Verdict]"], name: str) -> None:
    verdict = verdicts[name].result()
    assert verdict.code != 0, f"nobody noticed that {MUTATIONS[name].bug}"
    assert verdict.code == 1, f"the check did not run:\n{verdict.output}"


def test_a_mutation_that_no_longer_fits_says_so(tmp_path: Path) -> None:
    stale = bug("a bug of old", "", ("sales.py", "no such line", ""))
    with pytest.raises(LookupError, match="The source has changed"):
        stale.apply(tmp_path)


def test_there_are_enough_and_the_table_is_up_to_date() -> None:
    """`MUTATIONS_TABLE=write` writes it anew."""
    assert len(MUTATIONS) >= MUTATIONS_MIN
    if os.environ.get("MUTATIONS_TABLE") == "write":
        DOCUMENT.write_text(table(MUTATIONS), encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == table(MUTATIONS)
