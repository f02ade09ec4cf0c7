"""What the processes of a service say about new code (`local.reload`), once for all of them."""

import json
from pathlib import Path


def tell(file: Path, *, state: str, line: str) -> None:
    """Say a line about a state of the watched files."""
    with file.open("a", encoding="utf-8") as told:
        told.write(json.dumps({"state": state, "line": line}) + "\n")


class Reloads:
    """Reads what is told in a file from now on. Every process tells; each line is heard once."""

    def __init__(self, file: Path) -> None:
        file.write_text("")
        self._file = file
        self._read = 0
        self._heard: set[tuple[str, str]] = set()

    def new(self) -> list[str]:
        """The lines that nobody has told before about the same state of the files."""
        if self._file.stat().st_size == self._read:
            return []
        with self._file.open(encoding="utf-8") as told:
            told.seek(self._read)
            whole = [line for line in told if line.endswith("\n")]
        self._read += sum(len(line.encode()) for line in whole)
        fresh = []
        for line in whole:
            note = json.loads(line)
            key = (note["state"], note["line"])
            if key not in self._heard:
                self._heard.add(key)
                fresh.append(note["line"])
        return fresh
