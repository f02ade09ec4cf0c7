"""Runs checks against mutants, each in a process of its own, on stores that they share in turn."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from local.stores import Postgres, Valkey
from tests.faults.mutations.mutation import Mutation

_ROOT = Path(__file__).parents[3]
_SECONDS_MAX = 60
_WORKERS = 2


@dataclass(frozen=True)
class Verdict:
    """`code` is pytest's exit status: 0 all passed, 1 some failed, else the run itself failed."""

    code: int
    output: str


class Runner:
    """`_WORKERS` mutants at a time. `start` begins one, `close` ends all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(_WORKERS)
        self._idle: SimpleQueue[tuple[Valkey, Postgres]] = SimpleQueue()
        self._stores = [
            (
                Valkey(folder / f"valkey-{number}"),
                Postgres(folder / f"postgres-{number}", options={"fsync": "off"}),
            )
            for number in range(_WORKERS)
        ]
        for pair in self._stores:
            for store in pair:
                store.start()
            self._idle.put(pair)

    def start(self, name: str, mutation: Mutation, checks: Sequence[str] = ()) -> "Future[Verdict]":
        """Run the mutation's own check, or others, against it."""
        return self._pool.submit(self._run, name, mutation, checks or [mutation.check])

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        for pair in self._stores:
            for store in pair:
                store.discard()

    def _run(self, name: str, mutation: Mutation, checks: Sequence[str]) -> Verdict:
        layer = self._folder / name
        mutation.apply(layer)
        stores = self._idle.get()
        command = [sys.executable, "-m", "pytest", "--exitfirst", "--quiet", "--no-header"]
        plugins = ["-p", "tests.faults.mutations.borrowed", "-p", "no:cacheprovider"]
        try:
            done = subprocess.run(
                [*command, *plugins, *checks],
                cwd=_ROOT,
                env=os.environ
                | {
                    "MUTANT": json.dumps({"layer": str(layer), **_told(*stores)}),
                    "PYTHONPATH": f"{layer}{os.pathsep}{_ROOT}",
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                capture_output=True,
                text=True,
                timeout=_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            return Verdict(-1, f"not done after {late.timeout} seconds")
        finally:
            self._idle.put(stores)
        return Verdict(done.returncode, done.stdout + done.stderr)


def _told(valkey: Valkey, postgres: Postgres) -> dict[str, object]:
    return {
        "Valkey": {
            "url": valkey.url,
            "address": valkey.address,
            "host": valkey.host,
            "port": valkey.port,
            "password": valkey.password,
        },
        "Postgres": {
            "user": postgres.user,
            "password": postgres.password,
            "host": postgres.host,
            "port": postgres.port,
            "database": postgres.database,
        },
    }
