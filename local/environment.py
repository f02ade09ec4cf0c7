"""What this machine's processes are told: the user's settings, then the template's, then ours."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from local.addresses import store_variables
from local.stores.folder import write_private
from local.template import Template

ROOT = Path(__file__).parent.parent


def user_environment() -> dict[str, str]:
    """The environment, over the settings in `.env`."""
    kept = {name: value for name, value in dotenv_values(ROOT / ".env").items() if value}
    return {**kept, **{name: value for name, value in os.environ.items() if value}}


def with_template(environment: Mapping[str, str], template: Template) -> dict[str, str]:
    """The template's variables, under the user's."""
    return {**template.environment, **environment}


def data_folder(environment: Mapping[str, str]) -> Path:
    """DATA_DIR; a relative one is in the checkout."""
    return ROOT / environment.get("DATA_DIR", ".flashsale")


def running_environment(state: Mapping[str, str] | None) -> dict[str, str]:
    """What a process needs to look at the stores: those of the service that runs in this checkout
    (`state`, its addresses), or else those that the user's settings name."""
    environment = with_template(user_environment(), Template.read(ROOT / "template.yaml"))
    folder = data_folder(environment)
    if "CODE_KEYS" not in environment and (folder / "code-keys").exists():
        environment["CODE_KEYS"] = code_keys(folder)
    return {**environment, **(store_variables(state) if state else {})}


def code_keys(folder: Path) -> str:
    """The data folder's own key for checkout codes, made when first asked for."""
    kept = folder / "code-keys"
    if not kept.exists():
        write_private(kept, f"1:{secrets.token_hex(32)}")
    return kept.read_text()
