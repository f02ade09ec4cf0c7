"""Once per deployment, before traffic: bring the database to the layout this version wants."""

from collections.abc import Mapping
from typing import Any

from flashsale.api import scheduled
from flashsale.bootstrap import service
from flashsale.ledger.migrate import migrate


@scheduled
async def handler() -> Mapping[str, Any]:
    return {"applied": await migrate(service().settings)}
