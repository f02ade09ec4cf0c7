"""One PostgreSQL connection for all callers of an event loop, one after the other."""

import asyncio
import contextlib
import functools
import importlib.resources
import os
import random
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Literal

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from flashsale.breaker import Breaker
from flashsale.config import Settings
from flashsale.errors import ConfigError, EntryRejected, Fault, StoreDown, StoreSilent
from flashsale.ledger.bridge import LoopSocket, in_greenlet, wait
from flashsale.secrets import with_db_login

Rows = Sequence[Sequence[Any]]

_ROLLED_BACK_PAUSES_SECONDS = (0.0, 0.01, 0.04)
_LOST = (InterfaceError, OSError)


class _RolledBack(StoreDown):
    """PostgreSQL undid the statement for the sake of another one, as in a deadlock."""


class Session:
    """Runs SQL files by name. The connection is made when first needed, and again when it breaks.

    Every write of ours may run twice with the effect of once, so what a broken connection or a
    deadlock leaves open is run once more.
    """

    def __init__(self, settings: Settings, *, name: str, breaker: Breaker) -> None:
        self._settings = settings
        self._breaker = breaker
        self._name = name
        self._turn = asyncio.Lock()
        self._socket: LoopSocket | None = None
        self._connection: pg8000.native.Connection | None = None
        self._statements: dict[str, pg8000.native.PreparedStatement] = {}
        self._where = f"PostgreSQL at {settings.db_host}:{settings.db_port}"

    async def run(self, statement: str, **parameters: str | int) -> Rows:
        """Run `sql/<statement>.sql` and return its rows.

        Raises:
            StoreDown: PostgreSQL was not reached, or undid the statement; nothing was done.
            StoreSilent: the connection broke before the answer; what was done is unknown.
            EntryRejected: PostgreSQL refused a value; nothing was done.
        """
        self._breaker.check()
        try:
            async with self._turn:
                rows = await in_greenlet(self._run, statement, parameters)
        except (_RolledBack, EntryRejected):
            self._breaker.succeeded()  # it answered
            raise
        except (StoreDown, StoreSilent):
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return rows

    async def close(self) -> None:
        """Disconnect, after what is under way."""
        async with self._turn:
            opened = self._socket
            self._hang_up()
            if opened is not None:
                await opened.closed()

    def _run(self, statement: str, parameters: dict[str, str | int]) -> Rows:
        was_connected = self._connection is not None
        try:
            return self._run_once(statement, parameters)
        except StoreSilent as silence:
            # A server that restarted while we were idle is noticed only now. One that hangs would
            # hang again.
            if not was_connected or _timed_out(silence):
                raise
            try:
                return self._run_once(statement, parameters)
            except StoreDown as fault:  # the second run did nothing; the first one may have
                raise StoreSilent(str(fault)) from fault
        except _RolledBack:
            return self._run_again(statement, parameters)

    def _run_again(self, statement: str, parameters: dict[str, str | int]) -> Rows:
        """Run what PostgreSQL undid, a little later, so as not to meet the same other one again."""
        for pause in _ROLLED_BACK_PAUSES_SECONDS:
            wait(asyncio.sleep(pause * random.uniform(0.5, 1.5)))  # noqa: S311 - jitter
            with contextlib.suppress(_RolledBack):
                return self._run_once(statement, parameters)
        return self._run_once(statement, parameters)

    def _run_once(self, statement: str, parameters: dict[str, str | int]) -> Rows:
        prepared = self._prepared(statement)
        try:
            return prepared.run(**parameters) or ()
        except DatabaseError as error:
            if not _sqlstate(error).startswith(("22", "23", "40", "57014")):
                self._hang_up()  # a session that was ended, or is on a server that can't write
            raise _fault(error) from error
        except _LOST as lost:
            self._hang_up()
            raise StoreSilent(f"PostgreSQL gave no answer: {_told(lost)}") from lost
        except BaseException:
            self._hang_up()
            raise

    def _prepared(self, statement: str) -> pg8000.native.PreparedStatement:
        try:
            connection = self._connection or self._connect()
            if statement not in self._statements:
                self._statements[statement] = connection.prepare(sql(statement))
        except DatabaseError as error:
            self._hang_up()
            raise StoreDown(f"{self._where} is out of reach: {_told(error)}") from error
        except _LOST as lost:
            # Nothing was asked yet, but an idle connection may have broken: the next is new.
            was_connected = self._connection is not None
            self._hang_up()
            kind = StoreSilent if was_connected else StoreDown
            raise kind(f"{self._where} is out of reach: {_told(lost)}") from lost
        except BaseException:
            self._hang_up()  # given up in the middle of an answer, which nobody else may get
            raise
        return self._statements[statement]

    def _connect(self) -> pg8000.native.Connection:
        try:
            return self._open(self._login())
        except DatabaseError as error:
            if not login_refused(error) or not self._settings.db_secret:
                raise
            return self._open(self._login(fresh=True))  # the password has been rotated

    def _login(self, *, fresh: bool = False) -> Settings:
        if not self._settings.db_secret:
            return self._settings
        try:
            return wait(asyncio.to_thread(with_db_login, self._settings, fresh=fresh))
        except ConfigError as error:
            raise StoreDown(f"{self._where} is out of reach: {error}") from error

    def _open(self, settings: Settings) -> pg8000.native.Connection:
        self._socket = wait(
            LoopSocket.open(
                settings,
                tls=_tls(settings.db_sslmode) or None,
                timeout_seconds=_socket_seconds(settings.db_timeout_ms),
            )
        )
        try:
            self._connection = _connection(
                settings, self._socket, self._name, settings.db_timeout_ms, False
            )
        except BaseException:
            wait(self._socket.abort())
            raise
        return self._connection

    def _hang_up(self) -> None:
        self._socket = None
        connection, self._connection = self._connection, None
        self._statements.clear()
        if connection is not None:
            with contextlib.suppress(*_LOST):  # it may be gone already
                connection.close()


def connect(settings: Settings, *, name: str, timeout_ms: int) -> pg8000.native.Connection:
    """Open a connection that waits for its socket, for whoever has a thread to wait in; its
    statements end within `timeout_ms`."""
    seconds = _socket_seconds(timeout_ms)
    opened = socket.create_connection((settings.db_host, settings.db_port), seconds)
    try:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _connection(settings, opened, name, timeout_ms, _tls(settings.db_sslmode))
    except BaseException:
        # pg8000 would leave the socket of a failed handshake to the garbage collector, and a
        # long outage has many of them.
        if opened.fileno() >= 0:
            os.close(opened.detach())
        raise


def _connection(
    settings: Settings,
    opened: socket.socket | LoopSocket,
    name: str,
    timeout_ms: int,
    tls: ssl.SSLContext | Literal[False],
) -> pg8000.native.Connection:
    connection = pg8000.native.Connection(
        user=settings.db_user,
        password=settings.db_password,  # an empty one is refused; without one pg8000 would fail
        host=settings.db_host,
        database=settings.db_name,
        sock=opened,
        ssl_context=tls,  # None would ask for TLS all the same, and take 30 ms to prepare for it
        application_name=f"flashsale {name}",
    )
    # Not as a parameter of the start: RDS Proxy and PgBouncer refuse those.
    connection.run(f"set statement_timeout = {timeout_ms:d}")
    return connection


def _socket_seconds(timeout_ms: int) -> float:
    """The server gives up first, so that a timeout is an answer ("undone") where it can be."""
    return (timeout_ms + 500) / 1_000


def _tls(sslmode: str) -> ssl.SSLContext | Literal[False]:
    if sslmode == "disable":
        return False
    context = ssl.create_default_context()
    if sslmode == "require":  # as libpq means it: encrypted, whoever it is
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@functools.cache
def sql(statement: str) -> str:
    """Load `sql/<statement>.sql`."""
    resource = importlib.resources.files(__package__) / "sql" / f"{statement}.sql"
    return resource.read_text(encoding="utf-8")


def _timed_out(silence: StoreSilent) -> bool:
    lost = silence.__cause__
    return isinstance(lost, TimeoutError) or isinstance(
        getattr(lost, "__cause__", None), TimeoutError
    )


def _sqlstate(error: DatabaseError) -> str:
    told = error.args[0] if error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else ""


def login_refused(error: DatabaseError) -> bool:
    """Whether PostgreSQL did not take user or password."""
    return _sqlstate(error).startswith("28")


def _told(fault: Exception) -> str:
    """What may be logged of a fault: never a value, a row or a password."""
    if isinstance(fault, DatabaseError):
        return f"SQLSTATE {_sqlstate(fault)}"
    return type(fault).__name__


def _fault(error: DatabaseError) -> Fault:
    """Translate an error that PostgreSQL answered, by its SQLSTATE class (appendix A)."""
    state = _sqlstate(error)
    told = f"PostgreSQL refused: SQLSTATE {state}"
    if state.startswith(("22", "23")):
        return EntryRejected(told)
    if state.startswith("40"):
        return _RolledBack(told)
    if state.startswith("57P"):  # the server is going down, perhaps in the middle of a commit
        return StoreSilent(told)
    return StoreDown(told)
