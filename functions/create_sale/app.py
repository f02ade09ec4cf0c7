"""Every hour, and ahead of it: open the sale that is on, and prepare the next one."""

from collections.abc import Mapping
from typing import Any

from flashsale.api import scheduled
from flashsale.bootstrap import service


@scheduled
async def handler() -> Mapping[str, Any]:
    sales = await service().sales.open_due()
    return {"sales": [sale.id for sale in sales]}
