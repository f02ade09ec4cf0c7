"""Every minute: move the attempts that wait in Redis to PostgreSQL."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flashsale.api import scheduled
from flashsale.bootstrap import service


@scheduled
async def handler() -> Mapping[str, Any]:
    return asdict(await service().attempts.persist(time.time()))
