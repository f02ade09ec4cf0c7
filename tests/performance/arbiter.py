"""What PostgreSQL says of the work it did between two looks."""

from dataclasses import dataclass

import pg8000.native

OPTIONS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.track_planning": "on",
    "pg_stat_statements.track_utility": "off",
}
EXTENSIONS = ("pg_stat_statements", "pg_walinspect")


@dataclass(frozen=True)
class Statement:
    """One kind of statement. Times are in microseconds a call; `inner`: a function called it."""

    text: str
    inner: bool
    calls: int
    rows: int
    plan_us: float
    run_us: float
    wal_bytes: int


@dataclass(frozen=True)
class Work:
    """WAL by kind of record: how many, and the bytes of records and of full-page images."""

    statements: list[Statement]
    records: dict[str, tuple[int, int, int]]

    @property
    def commits(self) -> int:
        """Transactions that wrote."""
        return self.records.get("Transaction/COMMIT", (0, 0, 0))[0]

    @property
    def wal_bytes(self) -> int:
        return sum(plain + images for _, plain, images in self.records.values())

    @property
    def image_bytes(self) -> int:
        """The bytes of full-page images among them."""
        return sum(images for _, _, images in self.records.values())

    def rows_of(self, table: str) -> int:
        """Rows that were inserted into a table."""
        wanted = f"insert into {table} "
        return sum(one.rows for one in self.statements if wanted in one.text)


class Watch:
    """Looks at a server that was started with OPTIONS. One `Work` after another: each begins
    where the one before ended."""

    def __init__(self, connection: pg8000.native.Connection) -> None:
        self._connection = connection
        for extension in EXTENSIONS:
            connection.run(f"create extension if not exists {extension}")
        self._lsn = ""
        self.begin()

    def begin(self) -> None:
        """Forget what was before."""
        self._connection.run("select pg_stat_statements_reset()")
        self._lsn = self._now()

    def end(self) -> Work:
        """The work since `begin`."""
        until = self._now()
        statements = [
            Statement(_short(text), not top, calls, rows, float(plan), float(run), int(wal))
            for text, top, calls, rows, plan, run, wal in self._connection.run(
                "select query, toplevel, calls, rows, 1000 * total_plan_time / calls,"
                " 1000 * mean_exec_time, wal_bytes from pg_stat_statements"
                " where calls > 0 and query !~ 'pg_(stat_statements|current_wal|get_wal)'"
                " order by total_exec_time + total_plan_time desc"
            )
        ]
        records = {
            str(kind): (int(count), int(plain), int(images))
            for kind, count, plain, images in self._connection.run(
                'select "resource_manager/record_type", count, record_size, fpi_size'
                " from pg_get_wal_stats(cast(:since as pg_lsn), cast(:until as pg_lsn), true)"
                " where count > 0",
                since=self._lsn,
                until=until,
            )
        }
        return Work(statements, records)

    def _now(self) -> str:
        # Only flushed WAL can be read. Who was answered has flushed theirs, by their commit.
        ((lsn,),) = self._connection.run("select pg_current_wal_flush_lsn()::text")
        return str(lsn)


def _short(text: str) -> str:
    """A statement without its comment, in one line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return " ".join(" ".join(lines).split())
