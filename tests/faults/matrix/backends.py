"""Connections to PostgreSQL that pass from process to process: a new one takes it 20 ms to warm."""

from typing import Any

from flashsale.ledger import Ledger
from flashsale.ledger.bridge import in_greenlet
from flashsale.ledger.session import Session

_STATE = ("_socket", "_connection", "_statements")


class Backends:
    """Lends connections out. What the borrower leaves locked is unlocked, as when one ends."""

    def __init__(self) -> None:
        self._idle: dict[str, list[dict[str, Any]]] = {}

    def lend(self, ledger: Ledger) -> None:
        for name, session in _sessions(ledger):
            if self._idle.get(name):
                vars(session).update(self._idle[name].pop())

    async def take_back(self, ledger: Ledger) -> None:
        for name, session in _sessions(ledger):
            if session._connection is not None:
                unlock = "select pg_advisory_unlock_all()"
                await in_greenlet(session._connection.run, unlock)
                state = {part: vars(session)[part] for part in _STATE}
                self._idle.setdefault(name, []).append(state)
                session._socket = session._connection = None
                session._statements = {}

    async def close(self) -> None:
        for idle in self._idle.values():
            for state in idle:
                state["_connection"].close()
                await state["_socket"].closed()
        self._idle.clear()


def _sessions(ledger: Ledger) -> list[tuple[str, Session]]:
    return [(name, held) for name, held in vars(ledger).items() if isinstance(held, Session)]
