"""All environments of one process: started as the load asks, ended when nothing asks for them.

Of a function's environments the last one used is the next one used, so that the others can end. If
there may be no more of them, one that another function does not use makes room; and the busy ones
of others only for a function that has none at all.
"""

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping

import uvicorn

from local.runtime.api import runtime_api
from local.runtime.environment import Environment, Invocation
from local.runtime.errors import FunctionError, Payload, ThrottledError
from local.runtime.layout import Layout
from local.runtime.log import Log
from local.runtime.options import Options
from local.runtime.variables import given_variables
from local.template import FunctionSpec, Template

LOOK_SECONDS = 0.25
# An environment that was used this lately will soon be again: its function keeps it.
WARM_SECONDS = 1.0
# Longer than an HTTP API waits for its function, nobody waits for an environment.
WAIT_SECONDS_MAX = 30.0
# Lambda's default for all functions of an account.
CONCURRENCY_MAX = 1_000


class _Queue:
    """One function's invocations that wait, and its environments."""

    def __init__(self, spec: FunctionSpec, layout: Layout, given: Mapping[str, str]) -> None:
        self.spec, self.layout, self.given = spec, layout, given
        self.waiting: deque[Invocation] = deque()
        self.environments: set[Environment] = set()
        self.idle: list[Environment] = []

    @property
    def lacking(self) -> int:
        """How many environments more would serve all who wait."""
        starting = sum(not each.is_ready and not each.is_ending for each in self.environments)
        return len(self.waiting) - starting


class Pool:
    """Runs invocations of the template's functions. `layouts` are theirs by name; `settings` names
    the variables that they may have of this process's."""

    def __init__(
        self,
        template: Template,
        layouts: Mapping[str, Layout],
        *,
        options: Options,
        log: Log,
        settings: Collection[str] = (),
    ) -> None:
        self._options, self._log = options, log
        self._queues = {
            spec.name: _Queue(
                spec,
                layouts[spec.name],
                given_variables(spec, template, settings=settings),
            )
            for spec in template.functions
        }
        self._environments: dict[int, Environment] = {}  # by port
        self._ports: list[int] = []
        self._server: _Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._opening = asyncio.Lock()
        self._empty = asyncio.Event()

    @property
    def pids(self) -> set[int]:
        """The processes of all environments."""
        return {each.pid for each in self._environments.values()}

    @property
    def waiting(self) -> int:
        """How many invocations wait for an environment."""
        return sum(len(each.waiting) for each in self._queues.values())

    async def invoke(self, name: str, event: bytes, request_id: str) -> bytes:
        """Run one invocation and return the function's result, as JSON.

        Raises:
            TimeLimitError: it took longer than the template allows.
            ThrottledError: no environment was free in time, or too many wait for one.
            FunctionError: the function raised, could not be loaded, or its process ended.
        """
        if self._server is None:
            async with self._opening:
                if self._server is None:
                    await self._open()
        queue = self._queues[name]
        invocation = Invocation(event, request_id, asyncio.get_running_loop().create_future())
        if queue.idle:
            queue.idle.pop().hand(invocation)
        elif self.waiting >= CONCURRENCY_MAX:
            raise _no_room()
        else:
            queue.waiting.append(invocation)
            self._grow()
        return await invocation.result

    async def close(self) -> None:
        """End all environments, and the API. Whoever waits for one is told that there is none."""
        if self._server is None:
            return
        look, serve = self._tasks
        look.cancel()
        self._server.should_exit = True  # and so no environment is started any more
        for queue in self._queues.values():
            while queue.waiting:
                _refuse(queue.waiting.popleft())
        self._empty.clear()
        for environment in self._environments.values():
            environment.end()
        if self._environments:
            await self._empty.wait()
        await asyncio.gather(look, serve, return_exceptions=True)
        self._server = None

    def has_asked(self, environment: Environment) -> None:
        queue = self._queues[environment.spec.name]
        # Not before it has been of use: functions would only take the place from one another.
        if environment.is_used and self._is_needed_elsewhere(queue):
            environment.end()
            return
        while queue.waiting:
            invocation = queue.waiting.popleft()
            if not invocation.result.done():
                environment.hand(invocation)
                return
        queue.idle.append(environment)
        self._grow()

    def has_failed(self, environment: Environment, payload: Payload) -> None:
        """Lambda tells one invocation of each initialization that fails."""
        waiting = self._queues[environment.spec.name].waiting
        while waiting:
            result = waiting.popleft().result
            if not result.done():
                result.set_exception(FunctionError(payload))
                return

    def has_ended(self, environment: Environment) -> None:
        queue = self._queues[environment.spec.name]
        queue.environments.discard(environment)
        if environment in queue.idle:
            queue.idle.remove(environment)
        del self._environments[environment.port]
        self._ports.append(environment.port)
        if not self._environments:
            self._empty.set()
        self._grow()

    def _is_needed_elsewhere(self, queue: _Queue) -> bool:
        """Whether a function that has no environment waits for that of another one to end."""
        if self._ports or any(each.is_ending for each in self._environments.values()):
            return False
        return any(
            other.waiting and not other.environments
            for other in self._queues.values()
            if other is not queue
        )

    def _grow(self) -> None:
        """Start as many environments as are lacking, where there is room; else make some."""
        if self._server is None or self._server.should_exit:
            return
        lacking = [queue for queue in self._queues.values() if queue.lacking > 0]
        lacking.sort(key=lambda queue: (len(queue.environments), queue.waiting[0].since))
        for queue in lacking:
            while queue.lacking > 0 and self._ports:
                self._start(queue)
        ending = sum(each.is_ending for each in self._environments.values())
        for queue in lacking:
            if queue.lacking > ending:
                self._make_room(queue)
                return

    def _start(self, queue: _Queue) -> None:
        environment = Environment(
            queue.spec,
            queue.layout,
            port=self._ports.pop(),
            given=queue.given,
            owner=self,
            log=self._log,
            reports=self._options.reports,
        )
        self._environments[environment.port] = environment
        queue.environments.add(environment)

    def _make_room(self, queue: _Queue) -> None:
        """End the environment of another function that has been idle the longest."""
        now = time.monotonic()
        warm = WARM_SECONDS if queue.environments else 0.0
        idle = [
            each
            for other in self._queues.values()
            if other is not queue
            for each in other.idle
            if now - each.idle_since >= warm
        ]
        if idle:
            self._end_idle(min(idle, key=lambda each: each.idle_since))

    def _end_idle(self, environment: Environment) -> None:
        self._queues[environment.spec.name].idle.remove(environment)
        environment.end()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            for environment in list(self._environments.values()):
                environment.look(now)
            for queue in self._queues.values():
                for environment in list(queue.idle):
                    if now - environment.idle_since > self._options.lambda_idle_seconds:
                        self._end_idle(environment)
                while queue.waiting and now - queue.waiting[0].since > WAIT_SECONDS_MAX:
                    _refuse(queue.waiting.popleft())
            self._grow()

    async def _open(self) -> None:
        """Open a Runtime API with a port for each environment that there may be."""
        listeners = [_listener() for _ in range(self._options.lambda_environments)]
        config = uvicorn.Config(
            runtime_api(self._environments),
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=86_400,  # an environment asks again when its function is done
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        serve = asyncio.create_task(server.serve(sockets=listeners))
        while not server.started:
            if serve.done():
                await serve
            await asyncio.sleep(0.005)
        self._ports = [listener.getsockname()[1] for listener in listeners]
        self._tasks = [asyncio.create_task(self._look()), serve]
        self._server = server


class _Server(uvicorn.Server):
    """Signals are the gateway's affair."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _refuse(invocation: Invocation) -> None:
    if not invocation.result.done():
        invocation.result.set_exception(_no_room())


def _no_room() -> ThrottledError:
    return ThrottledError("ConcurrentInvocationLimitExceeded")


def _listener() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Connections inherit it: asyncio's own would wait 40 ms between the parts of an answer.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    return listener
