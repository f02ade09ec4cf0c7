"""A function that runs in environments of its own."""

import json
import uuid
from typing import Any

from local.runtime.function import Event
from local.runtime.pool import Pool
from local.template import FunctionSpec


class LambdaFunction:
    """As a local function, to whoever invokes it; all functions share a pool."""

    def __init__(self, spec: FunctionSpec, pool: Pool) -> None:
        self.spec = spec
        self._pool = pool

    async def invoke(self, event: Event, request_id: str = "") -> Any:
        """Run one invocation. Raises what `Pool.invoke` does."""
        payload = json.dumps(event).encode()
        result = await self._pool.invoke(self.spec.name, payload, request_id or str(uuid.uuid4()))
        return json.loads(result)

    async def close(self) -> None:
        await self._pool.close()
