"""A planted bug: what is changed in a copy of the layer, and which check has to notice."""

import shutil
from dataclasses import dataclass
from pathlib import Path

LAYER = Path(__file__).parents[3] / "layers" / "flashsale" / "python" / "flashsale"


@dataclass(frozen=True)
class Edit:
    """`old` stands once in a file of the layer, and becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """`bug` says what is wrong, `check` is the test that catches it, as pytest names it."""

    bug: str
    check: str
    edits: tuple[Edit, ...]

    def apply(self, to: Path) -> None:
        """Make a copy of the layer with the bug, as the package `flashsale` in the folder `to`.

        Raises:
            LookupError: the source has changed, and the mutation no longer fits.
        """
        copy = to / "flashsale"
        shutil.copytree(LAYER, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for edit in self.edits:
            file = copy / edit.file
            text = file.read_text(encoding="utf-8")
            if text.count(edit.old) != 1:
                raise LookupError(
                    f"{edit.file} has {text.count(edit.old)} times, and not once: {edit.old!r}."
                    f" The source has changed: bring the mutation '{self.bug}' up to date."
                )
            file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def matrix(case: str) -> str:
    return f"tests/faults/test_matrix.py::test_every_promise_holds_at_every_step[{case}]"


def slot_race(test: str) -> str:
    return f"tests/faults/test_slot_race.py::{test}"


def layer(test: str) -> str:
    return f"tests/layer/{test}"


def bug(what: str, check: str, *edits: tuple[str, str, str]) -> Mutation:
    return Mutation(what, check, tuple(Edit(*edit) for edit in edits))
