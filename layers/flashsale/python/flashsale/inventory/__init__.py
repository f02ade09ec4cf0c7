"""The gate: a sale's state in Redis, fast and allowed to forget."""

from flashsale.inventory.inventory import Checkout, Inventory, Verdict

__all__ = ["Checkout", "Inventory", "Verdict"]
