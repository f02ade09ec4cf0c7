"""The stores of a machine without Docker: a real Valkey and a real PostgreSQL, from wheels."""

from local.stores.errors import StoreError
from local.stores.postgres import Postgres
from local.stores.valkey import Valkey

__all__ = ["Postgres", "StoreError", "Valkey"]
