"""What the scheduler remembers in the data folder: how each schedule ran last, what is pending."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.stores.folder import write_private

FILE = "schedules.json"

Note = Mapping[str, Any]


class Runs:
    """Notes by schedule name. Without a folder, nothing outlives the process.

    A note has `due` (when the last run was due, ISO 8601), `started`, `seconds`, `attempts`,
    `outcome` (ok, failed, or retrying) and, unless it was ok, `error`; or, for an at() that has not
    run, `pending` (when it will be due).
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / FILE if folder else None
        self._notes: dict[str, Note] = read_notes(folder) if folder else {}

    def __getitem__(self, name: str) -> Note:
        return self._notes.get(name, {})

    def note(self, name: str, **fields: Any) -> None:
        """Replace a schedule's note."""
        if self._notes.get(name) == fields:
            return
        self._notes[name] = fields
        if self._file is not None:
            write_private(self._file, json.dumps(self._notes, indent=1) + "\n")


def read_notes(folder: Path) -> dict[str, Note]:
    """The notes in a data folder, by schedule name."""
    try:
        notes: dict[str, Note] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return notes
