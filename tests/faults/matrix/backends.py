"""Connections to PostgreSQL that pass from process to process: a new one takes it 20 ms to warm."""

from typing import Any

from flashsale.ledger import Ledger
from flashsale.ledger.session import Session


class Backends:
    """Lends connections out. What the borrower leaves locked is unlocked, as when one ends."""

    def __init__(self) -> None:
        self._idle: dict[str, list[tuple[Any, Any]]] = {}

    def lend(self, ledger: Ledger) -> None:
        for name, session in _sessions(ledger):
            if self._idle.get(name):
                session._connection, session._statements = self._idle[name].pop()

    def take_back(self, ledger: Ledger) -> None:
        for name, session in _sessions(ledger):
            if session._connection is not None:
                session._connection.run("select pg_advisory_unlock_all()")
                self._idle.setdefault(name, []).append((session._connection, session._statements))
                session._connection, session._statements = None, {}

    def close(self) -> None:
        for idle in self._idle.values():
            for connection, _ in idle:
                connection.close()
        self._idle.clear()


def _sessions(ledger: Ledger) -> list[tuple[str, Session]]:
    return [(name, held) for name, held in vars(ledger).items() if isinstance(held, Session)]
