"""POST /purchase: turn a checkout code into a purchase, once, however often it is sent."""

from flashsale.api import Reply, endpoint
from flashsale.bootstrap import service
from flashsale.request import Request


@endpoint(query=("code",))
async def handler(request: Request) -> Reply:
    purchase_id = await service().shop.purchase(request.text("code"), request.caller)
    return Reply.ok(purchase_id=purchase_id, message="Purchase completed successfully")
