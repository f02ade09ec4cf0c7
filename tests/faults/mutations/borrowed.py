"""A pytest plugin for mutants: they borrow running stores, and must be the layer that is tested."""

import json
import os
from pathlib import Path
from typing import Any

import pg8000.native
import pytest

import local.stores

_TOLD: dict[str, Any] = json.loads(os.environ["MUTANT"])


class _Borrowed:
    """Looks like a store that the tests start, and is one that runs already."""

    def __init__(self, *_: object, **__: object) -> None:
        self.__dict__.update(_TOLD[type(self).__name__])

    def start(self) -> None:
        """Remove what the last borrower left."""

    def discard(self) -> None:
        """The owner does."""


class Valkey(_Borrowed):
    pass


class Postgres(_Borrowed):
    user: str
    password: str
    host: str
    port: int
    database: str

    def start(self) -> None:
        connection = pg8000.native.Connection(
            user=self.user,
            password=self.password,
            host=self.host,
            port=self.port,
            database=self.database,
        )
        left = connection.run(
            "select datname from pg_database where not datistemplate"
            " and datname not in ('postgres', :ours)",
            ours=self.database,
        )
        for (name,) in left:
            connection.run(f"drop database {name} with (force)")
        connection.close()


local.stores.Valkey = Valkey  # type: ignore[assignment,misc]
local.stores.Postgres = Postgres  # type: ignore[assignment,misc]


def pytest_configure() -> None:
    import flashsale

    if not Path(str(flashsale.__file__)).is_relative_to(_TOLD["layer"]):
        raise pytest.UsageError(f"the mutant was not loaded, but {flashsale.__file__}")
