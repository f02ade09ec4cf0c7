"""What may befall Redis: it forgets, it restarts, time passes."""

import contextlib
from typing import Any

import redis
from flashsale.inventory.script import sale_key, script

from tests.faults.matrix.steps import SCRIPTS


class Weather:
    """Strikes the Redis of one world, whose run id it counts."""

    def __init__(self, client: "redis.Redis", starts_at: int) -> None:
        self._redis: Any = client  # its stubs know neither bytes nor every command
        self._pending = sale_key(starts_at, "pending")
        self._attempts = sale_key(starts_at, "attempts")
        self._run = 1
        self._taught = False
        self._snapshots: list[dict[bytes, tuple[int, bytes]]] = []

    def clear(self) -> None:
        """Begin with an empty Redis that knows our scripts."""
        self._redis.flushall()
        self._run, self._snapshots = 1, []
        if not self._taught:
            for name in SCRIPTS:
                self._redis.script_load(script(name).body)
            self._taught = True

    def run_id(self) -> str:
        """Redis's run, as this world counts them."""
        return f"run-{self._run}"

    def remember(self) -> None:
        """Keep what Redis holds, if it has changed: what a restart may fall back to."""
        keys = sorted(self._redis.scan_iter(count=100))
        with self._redis.pipeline(transaction=False) as asked:
            for key in keys:
                asked.pexpiretime(key)
                asked.dump(key)
            told = asked.execute()
        now = dict(zip(keys, zip(told[::2], told[1::2], strict=True), strict=True))
        if not self._snapshots or now != self._snapshots[-1]:
            self._snapshots.append(now)

    def lose_redis(self) -> None:
        self._redis.flushall()

    def lose_tail(self) -> None:
        """Redis restarts without its last write, under another run id."""
        self.remember()
        kept = self._snapshots[max(len(self._snapshots) - 2, 0)]
        self._redis.flushall()
        for key, (expires_at_ms, value) in kept.items():
            self._redis.restore(key, expires_at_ms, value, absttl=True)
        self.restart_redis()

    def restart_redis(self) -> None:
        self._run += 1
        self._redis.script_flush()
        self._taught = False
        self._redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def end_leases(self) -> None:
        for item in self._redis.zrange(self._pending, 0, -1):
            self._redis.zadd(self._pending, {item: 0}, xx=True)

    def end_consumers(self) -> None:
        """Entries of the stream that somebody took were taken long ago."""
        key = self._attempts
        with contextlib.suppress(redis.ResponseError):
            taken = self._redis.xpending_range(key, "ledger", "-", "+", 100)
            for entry in taken:
                who, which = entry["consumer"], [entry["message_id"]]
                self._redis.xclaim(key, "ledger", who, 0, which, idle=3_600_000, justid=True)
