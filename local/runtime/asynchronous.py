"""Asynchronous invocations: accepted at once, tried again as Lambda does, then put aside.

An accepted event is a file in the data folder's `async/` until it is done with, so that it outlives
the process that runs it; like Lambda's, it may then be run once more. One process at a time runs
them. What has failed for good becomes a line of `dead-letters.jsonl`, in the shape of the records
that Lambda sends to an on-failure destination.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local import dead_letters
from local.runtime.context import function_arn
from local.runtime.errors import Payload, ThrottledError, payload_of
from local.runtime.function import Event, Function
from local.stores.folder import write_private

LOOK_SECONDS = 0.2
UNDER_WAY_MAX = 100
# Where there is no room, Lambda waits longer each time, but not longer than this.
THROTTLED_SECONDS_MAX = 300.0


class _GivenUpError(Exception):
    """No more attempts: `condition` says why, `payload` what the last one ended in."""

    def __init__(self, condition: str, payload: Payload | None, *, attempts: int) -> None:
        super().__init__(condition)
        self.condition, self.payload, self.attempts = condition, payload, attempts


Invoke = Callable[[Function, Event, str], Awaitable[Any]]


@dataclass(frozen=True)
class Accepted:
    """An event that waits for its next attempt; times are Unix seconds."""

    request_id: str
    function: str
    event: Any
    accepted: float
    due: float
    attempts: int = 0
    throttled: int = 0


def accept(folder: Path, function: str, event: Any) -> str:
    """Take an event for a function of this name, and return its request id. `folder` is the data
    folder."""
    now = time.time()
    taken = Accepted(str(uuid.uuid4()), function, event, accepted=now, due=now)
    (folder / "async").mkdir(mode=0o700, parents=True, exist_ok=True)
    _keep(folder, taken)
    return taken.request_id


class AsyncInvocations:
    """Runs what was accepted in a data folder. `functions` gives those there are, at any time;
    `retry_seconds` is the wait before the first retry, and the second has twice that."""

    def __init__(
        self,
        functions: Callable[[], Sequence[Function]],
        *,
        folder: Path,
        retry_seconds: float,
        invoke: Invoke | None = None,
    ) -> None:
        self._functions = functions
        self._folder = folder
        self._retry_seconds = retry_seconds
        self._invoke: Invoke = invoke or _invoke
        self._under_way: set[str] = set()

    async def run(self) -> None:
        """Run what is due until cancelled; what is under way then will be run once more."""
        async with asyncio.TaskGroup() as group:
            while True:
                for taken in self._due():
                    self._under_way.add(taken.request_id)
                    group.create_task(self._attempt(taken))
                await asyncio.sleep(LOOK_SECONDS)

    def _due(self) -> list[Accepted]:
        """Those whose time has come, the oldest first, as many as may run beside the others."""
        files = [
            file
            for file in (self._folder / "async").glob("*.json")
            if file.stem not in self._under_way
        ]
        waiting = [Accepted(**json.loads(file.read_text())) for file in files]
        due = [taken for taken in waiting if taken.due <= time.time()]
        due.sort(key=lambda taken: taken.due)
        return due[: UNDER_WAY_MAX - len(self._under_way)]

    async def _attempt(self, taken: Accepted) -> None:
        try:
            later = await self._tried(taken)
        except _GivenUpError as end:
            self._bury(taken, end)
            later = None
        finally:
            self._under_way.discard(taken.request_id)
        if later is None:
            _place(self._folder, taken).unlink()
        else:
            _keep(self._folder, later)

    async def _tried(self, taken: Accepted) -> Accepted | None:
        """Try once. What is left to do, and when; None if it is done with."""
        function = next((f for f in self._functions() if f.spec.name == taken.function), None)
        if function is None:
            message = f"Function not found: {function_arn(taken.function)}"
            missing = {"errorType": "ResourceNotFoundException", "errorMessage": message}
            raise _GivenUpError("RetriesExhausted", missing, attempts=taken.attempts)
        spec = function.spec
        if time.time() - taken.accepted > spec.event_age_seconds:
            raise _GivenUpError("EventAgeExceeded", None, attempts=taken.attempts)
        # Noted before: an event that ends its process is not tried for ever.
        trying = replace(taken, attempts=taken.attempts + 1)
        _keep(self._folder, trying)
        try:
            await self._invoke(function, taken.event, taken.request_id)
        except ThrottledError as error:
            if spec.reserved == 0:  # "send it where failures go, without any retries"
                raise _GivenUpError(
                    "RetriesExhausted", payload_of(error), attempts=taken.attempts
                ) from error
            pause = min(2.0**taken.throttled, THROTTLED_SECONDS_MAX)
            return replace(taken, throttled=taken.throttled + 1, due=time.time() + pause)
        except Exception as error:
            payload = payload_of(error, request_id=taken.request_id, seconds=spec.timeout_seconds)
            if trying.attempts > spec.retries_max:
                raise _GivenUpError(
                    "RetriesExhausted", payload, attempts=trying.attempts
                ) from error
            due = time.time() + self._retry_seconds * trying.attempts
            if due - taken.accepted > spec.event_age_seconds:
                raise _GivenUpError(
                    "EventAgeExceeded", payload, attempts=trying.attempts
                ) from error
            return replace(trying, due=due)
        return None

    def _bury(self, taken: Accepted, end: _GivenUpError) -> None:
        """Keep it where who looks for failures finds it."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": f"{now}Z",
            "requestContext": {
                "requestId": taken.request_id,
                "functionArn": f"{function_arn(taken.function)}:$LATEST",
                "condition": end.condition,
                "approximateInvokeCount": end.attempts,
            },
            "requestPayload": taken.event,
        }
        if end.payload is not None:
            record["responseContext"] = {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            }
            record["responsePayload"] = end.payload
        dead_letters.append(self._folder, record)


async def _invoke(function: Function, event: Event, request_id: str) -> Any:
    return await function.invoke(event, request_id)


def _keep(folder: Path, taken: Accepted) -> None:
    write_private(_place(folder, taken), json.dumps(asdict(taken)))


def _place(folder: Path, taken: Accepted) -> Path:
    return folder / "async" / f"{taken.request_id}.json"
