"""Every ten minutes in the cloud: hold the current sale against its promises, and count what breaks
them, so that an alarm wakes somebody."""

from collections.abc import Mapping
from typing import Any

from flashsale.api import scheduled
from flashsale.bootstrap import service


@scheduled
async def handler() -> Mapping[str, Any]:
    return {"violations": await service().audit.count(service().sales.current())}
