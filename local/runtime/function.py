"""What can be invoked, wherever it runs."""

from collections.abc import Mapping
from typing import Any, Protocol

from local.template import FunctionSpec

Event = Mapping[str, Any]


class Function(Protocol):
    """A function of the template, ready to be invoked."""

    spec: FunctionSpec

    async def invoke(self, event: Event, request_id: str = "") -> Any:
        """Run one invocation, under a request id of its own if none is given.

        Raises:
            TimeLimitError: it took longer than the template allows.
            ThrottledError: there was no room for it.
            Exception: whatever the function raised; a FunctionError if it ran elsewhere.
        """

    async def close(self) -> None:
        """End what was started for it."""
