"""GET /items and /items/{id}: what is on sale."""

from flashsale.api import Reply, endpoint
from flashsale.bootstrap import service
from flashsale.items import describe, list_page
from flashsale.request import Request

PAGE_DEFAULT, PAGE_MAX = 100, 1_000


@endpoint(query=("after", "limit"))
async def handler(request: Request) -> Reply:
    sales, item = service().sales, request.item
    if item is not None:
        request.refuse_query()
        return Reply.ok(**await describe(sales, item))
    limit = min(request.number("limit", PAGE_DEFAULT), PAGE_MAX)
    return Reply.ok(**await list_page(sales, after=request.number("after", 0), limit=limit))
