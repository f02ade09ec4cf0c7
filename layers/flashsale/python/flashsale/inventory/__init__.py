"""The gate: a sale's state in Redis, fast and allowed to forget."""

from flashsale.inventory.inventory import Inventory

__all__ = ["Inventory"]
