"""Events that could not be delivered: one JSON object a line in the data folder, where a cloud
would have a queue."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "dead-letters.jsonl"


def append(folder: Path, record: Mapping[str, Any]) -> None:
    """Add a record, in one write, so that several processes may add at once."""
    line = json.dumps(record, default=str) + "\n"
    descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "ab", buffering=0) as file:
        file.write(line.encode())
