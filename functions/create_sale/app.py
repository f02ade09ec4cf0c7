"""Every hour, and ahead of it: open the sale that is on, and prepare the next one."""

from collections.abc import Mapping
from typing import Any

from flashsale.api import operation
from flashsale.bootstrap import service
from flashsale.scheduled import due_at
from flashsale.shapes import Event


@operation
async def handler(event: Event) -> Mapping[str, Any]:
    sales = await service().sales.open_due(due_at(event))
    return {"sales": [sale.id for sale in sales]}
