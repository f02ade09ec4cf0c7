"""One service object, as one gateway process would have, which can crash at any moment."""

import asyncio
import dataclasses
import time
import weakref
from collections.abc import Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from flashsale import bootstrap
from flashsale.config import Settings

from local.stores import Valkey
from tests.faults.schedule.proxy import Proxy

Result = TypeVar("Result")
_owner: ContextVar["Gateway | None"] = ContextVar("owner", default=None)


def watch_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Let every task be known to the gateway on whose behalf it was started."""

    def make(
        loop: asyncio.AbstractEventLoop,
        work: Any,
        *,
        context: Context | None = None,
        **more: Any,
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, context=context, **more)
        owner = context.get(_owner) if context is not None else _owner.get()
        if owner is not None:
            owner.tasks.add(task)
        return task

    loop.set_task_factory(make)


class Gateway:
    """A service, the proxies between it and the stores, and its clock, `skew` seconds wrong."""

    def __init__(self, settings: Settings, valkey: Valkey) -> None:
        self._settings = settings
        self._password = valkey.password
        self.redis = Proxy(valkey.port)
        self.postgres = Proxy(settings.db_port)
        self.skew = 0.0
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.service: bootstrap.Service

    async def start(self) -> None:
        await self.redis.start()
        await self.postgres.start()
        settings = dataclasses.replace(
            self._settings,
            redis_addr=f"127.0.0.1:{self.redis.port}",
            redis_password=self._password,
            db_port=self.postgres.port,
        )
        self.service = bootstrap.build(settings)
        self.service.sales._clock = self.clock

    def clock(self) -> float:
        return time.time() + self.skew

    def run(self, work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """Start work on this gateway's behalf: it dies with it."""
        context = copy_context()
        context.run(_owner.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def crash(self, *, silently: bool = False) -> None:
        """End as by SIGKILL: connections break, and nothing that was under way goes on. Silently:
        as by a power cut, of which the stores never hear."""
        for proxy in (self.redis, self.postgres):
            if silently:
                proxy.vanish()
            else:
                proxy.close()
        for task in tuple(self.tasks):
            task.cancel()

    async def idle(self) -> None:
        """Return when everything under way is done, also what replies did not wait for."""
        while busy := [task for task in self.tasks if not task.done()]:
            await asyncio.wait(busy)

    async def close(self) -> None:
        await self.run(self.service.close())
        self.redis.close()
        self.postgres.close()
