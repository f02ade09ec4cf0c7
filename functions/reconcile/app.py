"""Every minute: settle claims that have waited for the ledger too long, as after a crash."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flashsale.api import scheduled
from flashsale.bootstrap import service


@scheduled
async def handler() -> Mapping[str, Any]:
    return asdict(await service().sales.reconcile())
