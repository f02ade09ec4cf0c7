"""Once per deployment, before traffic: bring the database to the layout this version wants."""

from collections.abc import Mapping
from typing import Any

from flashsale.api import operation
from flashsale.bootstrap import service
from flashsale.deployment import deployed
from flashsale.ledger.migrate import migrate
from flashsale.shapes import Event


@operation
async def handler(event: Event) -> Mapping[str, Any]:
    return await deployed(event, _migrate)


async def _migrate() -> Mapping[str, Any]:
    return {"applied": await migrate(service().settings)}
