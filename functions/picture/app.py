"""GET /items/{id}/image: an item's picture, made from its name and number."""

from flashsale.api import Reply, endpoint
from flashsale.bootstrap import service
from flashsale.errors import UnknownItem
from flashsale.items import draw
from flashsale.request import Request


@endpoint(query=("sale",))
async def handler(request: Request) -> Reply:
    sales, item = service().sales, request.item
    if item is None:
        raise UnknownItem
    sale = sales.sale_of(request.number("sale", sales.current().starts_at))
    image = draw(sale, item)
    return Reply.picture(
        image.svg,
        etag=image.etag,
        seen=request.header("if-none-match"),
        for_ever=request.has("sale"),
    )
