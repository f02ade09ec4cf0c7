"""What the pages ask for that no other client needed before: the sale as a whole."""

import asyncio
import base64
import functools
import json
import time

from flashsale.api import Reply, endpoint
from flashsale.bootstrap import service
from flashsale.catalog import item_names
from flashsale.items import image_path
from flashsale.model import Sale
from flashsale.request import Request
from flashsale.web.pages import kept


@endpoint()
async def stock(request: Request) -> Reply:
    """How the sale stands, item by item, and the server's time."""
    glance = await service().showcase.glance()
    sale = glance.sale
    return Reply.ok(
        sale_id=sale.id,
        now_ms=int(time.time() * 1_000),
        start_time=sale.starts_at,
        end_time=sale.ends_at,
        total_items=sale.total,
        items_sold=glance.sold,
        sold=base64.b64encode(glance.bits).decode(),
    )


@endpoint(query=("sale",))
async def names(request: Request) -> Reply:
    """All names of a sale, the first one item 1's. They never change."""
    sales = service().sales
    sale = sales.sale_of(request.number("sale"))
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "content-type": "application/json",
        "x-content-type-options": "nosniff",
    }
    # Ten thousand names take a while, which the buyers on this loop need not wait.
    return kept(await asyncio.to_thread(_names, sale), headers, request)


@functools.lru_cache(maxsize=2)
def _names(sale: Sale) -> str:
    told = {
        "success": True,
        "sale_id": sale.id,
        "image": image_path(sale, "{id}"),
        "names": item_names(sale.starts_at, sale.total),
    }
    return json.dumps(told, separators=(",", ":"))
