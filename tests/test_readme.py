"""What README.md says of the settings is what the code reads."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from flashsale.config import Settings

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- settings:", "<!-- /settings -->"


def test_readme_lists_every_setting_with_its_default_and_bounds() -> None:
    table = README.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == settings_rows()


def settings_rows() -> list[str]:
    return [_row(field.name.upper(), field.default, field.metadata) for field in fields(Settings)]


def _row(name: str, default: Any, rules: Any) -> str:
    bounds = ", ".join(rules["choices"])
    if rules["minimum"] is not None:
        bounds = f"{rules['minimum']} to {rules['maximum']}"
    shown = f"`{default}`" if default != "" else ""
    return f"| `{name}` | {shown} | {rules['doc']} | {bounds} |"
