"""Brings a database to the layout that this version of the service wants."""

import asyncio
import importlib.resources
from importlib.resources.abc import Traversable

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from flashsale.config import Settings
from flashsale.errors import StoreDown
from flashsale.ledger.session import connect, login_refused
from flashsale.secrets import with_db_login

_LOCK = 0x666C617368  # "flash"; any number that all migrators share

_TIMEOUT_MS = 60_000  # a migration may wait for another one's lock, and rewrite a table

_HISTORY = """
create table schema_migrations (
    name text primary key,
    applied_at timestamptz not null default clock_timestamp()
)
"""


async def migrate(settings: Settings) -> list[str]:
    """Apply the migrations that the database lacks, in order, each once; return their names.

    Raises:
        StoreDown: PostgreSQL was not reached or refused a migration, of which nothing stands.
    """
    return await asyncio.to_thread(_migrate, settings)


def migrations() -> list[Traversable]:
    """The migration files, in the order they apply."""
    folder = importlib.resources.files(__package__) / "migrations"
    return sorted(folder.iterdir(), key=lambda file: file.name)


def _migrate(settings: Settings) -> list[str]:
    try:
        connection = _connected(settings)
    except (InterfaceError, OSError, DatabaseError) as fault:
        where = f"PostgreSQL at {settings.db_host}:{settings.db_port}"
        raise StoreDown(f"{where} is out of reach: {type(fault).__name__}") from fault
    try:
        # Several may start at once; the lock goes with the session, whatever ends it.
        connection.run("select pg_advisory_lock(:key)", key=_LOCK)
        applied = _applied(connection)
        missing = [file for file in migrations() if file.name not in applied]
        for file in missing:
            _apply(connection, file)
        return [file.name for file in missing]
    finally:
        connection.close()


def _connected(settings: Settings) -> pg8000.native.Connection:
    try:
        return connect(with_db_login(settings), name="migrate", timeout_ms=_TIMEOUT_MS)
    except DatabaseError as error:
        if not login_refused(error) or not settings.db_secret:
            raise
        renewed = with_db_login(settings, fresh=True)
        return connect(renewed, name="migrate", timeout_ms=_TIMEOUT_MS)


def _applied(connection: pg8000.native.Connection) -> set[str]:
    """Names of the migrations that the database has. A user who may make no tables may ask, too."""
    if connection.run("select to_regclass('schema_migrations') is null") == [[True]]:
        connection.run(_HISTORY)
    return {name for (name,) in connection.run("select name from schema_migrations")}


def _apply(connection: pg8000.native.Connection, file: Traversable) -> None:
    connection.run("begin")
    try:
        # The simple protocol takes a whole file; a statement with parameters could not.
        connection.execute_simple(file.read_text(encoding="utf-8"))
        connection.run("insert into schema_migrations (name) values (:name)", name=file.name)
        connection.run("commit")
    except DatabaseError as error:
        connection.run("rollback")
        raise StoreDown(f"migration {file.name} was refused: {error}") from error
