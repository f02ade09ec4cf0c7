"""Everything that no route takes: 404, or 405 with the methods the path does have."""

from flashsale.api import Reply, endpoint
from flashsale.bootstrap import service
from flashsale.request import Request
from flashsale.routes import unrouted


@endpoint(query=None)
async def handler(request: Request) -> Reply:
    raise unrouted(service().settings.routes, request.path)
