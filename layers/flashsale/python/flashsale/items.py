"""What is on sale: names, pictures and states of items, for lists and pages."""

import hashlib
from dataclasses import dataclass
from typing import Any

from flashsale.catalog import item_name
from flashsale.errors import Malformed, UnknownItem
from flashsale.model import Sale
from flashsale.picture import picture
from flashsale.sales import Sales


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG document, and the entity tag that names exactly these bytes."""

    svg: str
    etag: str


async def list_page(sales: Sales, *, after: int, limit: int) -> dict[str, Any]:
    """One page of the current sale: items `after` + 1 and on, at most `limit` of them.

    `next` is the `after` of the next page, None on the last.
    """
    if limit < 1:
        raise Malformed("limit must be at least 1")
    sale = sales.current()
    ids = list(range(after + 1, min(after + limit, sale.total) + 1))
    sold = await sales.sold_among(sale, ids) if ids else []
    return {
        "sale_id": sale.id,
        "total_items": sale.total,
        "items": [_item(sale, item, gone) for item, gone in zip(ids, sold, strict=True)],
        "next": ids[-1] if ids and ids[-1] < sale.total else None,
    }


async def describe(sales: Sales, item: int) -> dict[str, Any]:
    """One item of the current sale."""
    sale = sales.current()
    _check(sale, item)
    (sold,) = await sales.sold_among(sale, [item])
    return {"sale_id": sale.id, "item": _item(sale, item, sold)}


def draw(sale: Sale, item: int) -> Picture:
    """An item's picture. Touches no store."""
    _check(sale, item)
    svg = picture(item_name(sale.starts_at, item), item)
    return Picture(svg, f'"{hashlib.sha256(svg.encode()).hexdigest()[:32]}"')


def image_path(sale: Sale, item: object) -> str:
    """Where an item's picture is, for good."""
    return f"/items/{item}/image?sale={sale.starts_at}"


def _item(sale: Sale, item: int, sold: bool) -> dict[str, Any]:
    return {
        "id": item,
        "name": item_name(sale.starts_at, item),
        "image": image_path(sale, item),
        "sold": sold,
    }


def _check(sale: Sale, item: int) -> None:
    if not 1 <= item <= sale.total:
        raise UnknownItem
