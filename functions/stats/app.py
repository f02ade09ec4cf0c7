"""GET /stats: how the current sale stands."""

from flashsale.api import Reply, endpoint
from flashsale.bootstrap import service
from flashsale.request import Request


@endpoint()
async def handler(request: Request) -> Reply:
    stock = await service().sales.stock()
    sale = stock.sale
    stats = {
        "start_time": str(sale.starts_at),
        "end_time": str(sale.ends_at),
        "total_items": str(sale.total),
        "items_sold": str(stock.sold),
        "current_inventory": str(sale.total - stock.sold),
    }
    return Reply.ok(sale_id=sale.id, stats=stats)
