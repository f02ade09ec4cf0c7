"""POST /checkout: give a buyer a code for one item of the current sale."""

from flashsale.api import Reply, endpoint
from flashsale.bootstrap import service
from flashsale.request import Request


@endpoint(query=("user_id", "id"))
async def handler(request: Request) -> Reply:
    session = await service().shop.checkout(
        buyer=request.buyer("user_id"), item=request.number("id"), caller=request.caller
    )
    return Reply.ok(checkout_code=session.code, message="Checkout session created successfully")
