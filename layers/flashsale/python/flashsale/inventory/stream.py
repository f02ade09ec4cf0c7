"""The stream of attempts: those that wait in Redis for PostgreSQL. Read by a consumer group."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flashsale.batching import Batcher
from flashsale.config import Settings
from flashsale.errors import Overloaded, StoreDown
from flashsale.inventory.connection import ReplyError
from flashsale.inventory.pipeline import Pipeline
from flashsale.inventory.script import sale_key, script
from flashsale.model import Attempt

GROUP = "ledger"
# A consumer that took entries and was not heard of for so long is dead.
DEAD_CONSUMER_MS = 60_000
# Attempts outlive their sale by a week: PostgreSQL may be away over a week-end.
KEEP_SECONDS_MIN = 7 * 24 * 3_600


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream, as it lies there: whoever wrote it, it may be anything."""

    starts_at: int
    id: str
    fields: dict[bytes, bytes]


class AttemptStream:
    """Appends attempts and hands them out again, each until it is reported persisted."""

    def __init__(self, settings: Settings, pipeline: Pipeline) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._consumer = f"{socket.gethostname()}-{os.getpid()}"
        self._appends = Batcher(
            self._append, size_max=settings.batch_max, waiting_max=settings.waiting_max
        )

    def expire_at(self, starts_at: int) -> int:
        """When Redis may forget a sale's attempts, Unix seconds."""
        keep = max(self._settings.keep_seconds, KEEP_SECONDS_MIN)
        return starts_at + self._settings.sale_seconds + keep

    async def append(self, attempt: Attempt) -> None:
        """Keep an attempt.

        Raises:
            Overloaded: the stream is full; nothing is ever trimmed to make room.
        """
        await self._appends.add(attempt)

    async def length(self, starts_at: int) -> int:
        """Attempts of a sale that wait."""
        with _refusals():
            return int(await self._pipeline.execute("XLEN", sale_key(starts_at, "attempts")))

    async def take(self, starts_at: int, *, most: int) -> list[Entry]:
        """Take entries that nobody took, or that a dead consumer took long ago."""
        key = sale_key(starts_at, "attempts")
        with _refusals():
            try:
                return await self._take(starts_at, key, most)
            except ReplyError as error:
                if error.code != "NOGROUP":
                    raise
            try:
                await self._pipeline.execute("XGROUP", "CREATE", key, GROUP, "0")
            except ReplyError as error:
                if error.code == "OOM":
                    # No room for a group, and none before this is drained: do without. What is
                    # taken twice is kept once.
                    command = ("XRANGE", key, "-", "+", "COUNT", most)
                    return _entries(starts_at, await self._pipeline.execute(*command))
                if error.code != "BUSYGROUP":  # somebody else made it just now
                    raise
            return await self._take(starts_at, key, most)

    async def persisted(self, entries: Sequence[Entry]) -> None:
        """Forget entries of one sale: PostgreSQL has them."""
        ids = [entry.id for entry in entries]
        with _refusals():
            await script("persisted")(self._pipeline, entries[0].starts_at, ids, group=GROUP)

    async def settled(self) -> None:
        await self._appends.settled()

    async def _take(self, starts_at: int, key: str, most: int) -> list[Entry]:
        group = (key, GROUP, self._consumer)
        _, orphans, *_ = await self._pipeline.execute(
            "XAUTOCLAIM", *group, DEAD_CONSUMER_MS, "0-0", "COUNT", most
        )
        if orphans:
            return _entries(starts_at, orphans)
        reply = await self._pipeline.execute(
            "XREADGROUP", "GROUP", *group[1:], "COUNT", most, "STREAMS", key, ">"
        )
        return _entries(starts_at, reply[0][1]) if reply else []

    async def _append(self, attempts: list[Attempt]) -> list[Overloaded | None]:
        answers: dict[int, Overloaded | None] = {}
        for starts_at in {attempt.starts_at for attempt in attempts}:
            mine = [attempt for attempt in attempts if attempt.starts_at == starts_at]
            with _refusals():
                kept = await script("append")(
                    self._pipeline,
                    starts_at,
                    [
                        a
                        for one in mine
                        for a in (one.nonce, one.buyer, one.item, one.outcome, one.at_ms)
                    ],
                    stream_max=self._settings.stream_max,
                    attempts_expire_at=self.expire_at(starts_at),
                )
            answers[starts_at] = None if kept else Overloaded()
        return [answers[attempt.starts_at] for attempt in attempts]


@contextmanager
def _refusals() -> Iterator[None]:
    """What Redis refuses, for want of memory or because it was flushed, is a fault like others."""
    try:
        yield
    except ReplyError as error:
        raise StoreDown(f"Redis refused the stream: {error}") from error


def _entries(starts_at: int, raw: Any) -> list[Entry]:
    return [
        Entry(starts_at, entry_id.decode(), dict(zip(fields[::2], fields[1::2], strict=True)))
        for entry_id, fields in raw
        if fields is not None  # taken, and deleted since
    ]
