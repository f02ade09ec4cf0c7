"""Looks at the service's own affairs: settings, data, port, what is left of an earlier run."""

import difflib
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from dotenv import dotenv_values
from flashsale.config import Settings
from flashsale.errors import ConfigError

from local.bounds import Bounds, variable
from local.doctor.finding import Finding, fail, ok, warn
from local.doctor.place import nearest
from local.environment import ROOT, with_template
from local.errors import LocalError
from local.instance import is_held, supervisor
from local.runtime.options import Options
from local.template import Template, TemplateError
from local.up import require_free

ALIKE = 0.75  # of difflib: REDIS_ADRR and REDIS_ADDR, but not AWS_REGION and anything of ours
CONNECT_SECONDS_MAX = 2
SECRET_MODES = 0o077


def settings(user: Mapping[str, str]) -> Finding:
    """The environment and .env, as `flashsale up` would read them."""
    try:
        Settings.read(with_template(user, Template.read(ROOT / "template.yaml")))
        Bounds.read(user)
        Options.read(user)
    except (ConfigError, LocalError) as error:
        return fail(
            "settings", str(error), "README.md and docs/LIMITS.md list them with their bounds"
        )
    except TemplateError as error:
        return fail("settings", f"template.yaml: {error}", "mend template.yaml")
    return ok("settings", "all within their bounds")


def env_file() -> Iterator[Finding]:
    file = ROOT / ".env"
    if not file.exists():
        yield ok(".env", "none, so all settings are defaults or from the environment")
        return
    known = [
        *(field.name.upper() for kind in (Settings, Options) for field in fields(kind)),
        *(variable(field.name) for field in fields(Bounds)),
    ]
    written = {name: value for name, value in dotenv_values(file).items() if value}
    for name in written:
        likely = difflib.get_close_matches(name, known, n=1, cutoff=ALIKE)
        if name not in known and likely:
            yield warn(".env", f"{name} is no setting", f"write {likely[0]} if you mean that")
    secrets = {field.name.upper() for field in fields(Settings) if field.metadata["secret"]}
    if secrets & written.keys() and file.stat().st_mode & SECRET_MODES:
        yield warn(".env", "others can read the secrets in it", f"chmod 600 {file}")
    yield ok(".env", f"{len(written)} settings")


def data(folder: Path) -> Finding:
    """Whether the data folder is there, or can be made, and is ours."""
    place = nearest(folder)
    if not place.is_dir():
        return fail("data folder", f"{place} is not a folder", "set DATA_DIR to another place")
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        remedy = f"chown it, or set DATA_DIR: {place} belongs to user {place.stat().st_uid}"
        return fail("data folder", f"{place} can't be written to", remedy)
    if place == folder and place.stat().st_uid != os.geteuid():
        remedy = "run flashsale as that user, or set DATA_DIR"
        return fail("data folder", f"{folder} belongs to user {place.stat().st_uid}", remedy)
    return ok("data folder", str(folder) if place == folder else f"{folder}, not made yet")


def leftovers(folder: Path) -> Finding:
    """Processes whose supervisor is gone, and which keep the folder from the next one."""
    try:
        if supervisor(folder) is not None:
            return ok("processes", "the service runs")
        held = [each for each in (folder, folder / "valkey", folder / "postgres") if is_held(each)]
    except LocalError as error:
        return fail("processes", str(error), "set DATA_DIR to a folder of your own")
    if not held:
        return ok("processes", "none left of an earlier run")
    pids = " ".join(sorted({(each / "lock").read_text() for each in held}))
    return fail("processes", f"left of an earlier run: {pids}", f"kill {pids}, and look again")


def port(user: Mapping[str, str], folder: Path) -> Finding:
    try:
        read = Settings.read(user)
    except ConfigError:
        return warn("port", "not known", "mend the settings first")
    try:
        require_free(read.host, read.port)
    except LocalError as error:
        if supervisor(folder) is not None:
            return ok("port", f"{read.port} on {read.host} is the running service's")
        return fail("port", str(error).partition(":")[0], f"PORT={read.port + 1} flashsale up")
    return ok("port", f"{read.port} on {read.host} is free")


def other_servers(user: Mapping[str, str]) -> Iterator[Finding]:
    """Servers that the settings name instead of our own."""
    try:
        read = Settings.read(user)
    except ConfigError:
        return
    if "REDIS_ADDR" in user:
        host, _, number = read.redis_addr.rpartition(":")
        yield _reached("redis", "REDIS_ADDR", host.strip("[]"), int(number))
    if "DB_HOST" in user:
        yield _reached("postgres", "DB_HOST", read.db_host, read.db_port)


def _reached(name: str, variable: str, host: str, number: int) -> Finding:
    try:
        socket.create_connection((host, number), timeout=CONNECT_SECONDS_MAX).close()
    except OSError as error:
        remedy = f"start it, or take {variable} away to have one run for you"
        return fail(name, f"{host}:{number} is out of reach: {error}", remedy)
    return ok(name, f"{host}:{number} answers")
