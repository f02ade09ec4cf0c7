"""The arbiter: sales, purchases and attempts in PostgreSQL. It decides and never forgets."""

from flashsale.ledger.ledger import Decision, Ledger

__all__ = ["Decision", "Ledger"]
