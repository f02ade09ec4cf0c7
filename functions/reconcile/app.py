"""Every minute: settle claims that have waited for the ledger too long, as after a crash, and look
how the sale stands."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flashsale.api import scheduled
from flashsale.bootstrap import service


@scheduled
async def handler() -> Mapping[str, Any]:
    settled = await service().sales.reconcile()
    await service().sales.watch()
    return asdict(settled)
