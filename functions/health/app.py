"""GET /health: whether both stores are there and safe to rely on."""

import time
from dataclasses import asdict

from flashsale.api import Reply, endpoint
from flashsale.bootstrap import service
from flashsale.errors import Unavailable
from flashsale.request import Request


@endpoint()
async def handler(request: Request) -> Reply:
    checks = await service().health.check()
    told = {
        "timestamp": int(time.time()),
        "checks": {name: asdict(check) for name, check in checks.items()},
    }
    if all(check.status == "up" for check in checks.values()):
        return Reply.ok(message="Service is healthy", **told)
    return Reply.refused(Unavailable("Service is unhealthy"), **told)
