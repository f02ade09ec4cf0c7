"""What answers look like: JSON Schemas, each with an example that a real answer was."""

from typing import Any

from flashsale.config import Settings

Schema = dict[str, Any]

_FIELDS = Settings.__dataclass_fields__
ITEMS_MAX: int = _FIELDS["items_per_sale"].metadata["maximum"]

ITEM: Schema = {"type": "integer", "minimum": 1, "maximum": ITEMS_MAX}
START: Schema = {"type": "integer", "minimum": 0, "maximum": 9_999_999_999}
START_EXAMPLE = 1795348800
CODE_EXAMPLE = "AQFrAtlAAAhrAudQDyBz9mhi3I7WpHKxwgittmFsaWNl9pOudaCVItkfWZb-rLTdUA"

_COUNT: Schema = {"type": "integer", "minimum": 0}
_DIGITS: Schema = {"type": "string", "pattern": "^[0-9]+$"}
_SALE_ID: Schema = {"type": "string", "pattern": "^sale_[0-9]+_[0-9a-f]{8}$"}
_SALE = "sale_1795348800_6caab822"


def answer(**fields: Schema) -> Schema:
    """An object that has exactly these fields, and says that it went well."""
    return _object(success={"const": True}, **fields)


def _object(**fields: Schema) -> Schema:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


CHECKED_OUT = answer(
    checkout_code={"type": "string", "pattern": "^[A-Za-z0-9_-]{60,144}$"},
    message={"type": "string"},
)
CHECKED_OUT_EXAMPLE = {
    "success": True,
    "checkout_code": CODE_EXAMPLE,
    "message": "Checkout session created successfully",
}
PURCHASED = answer(
    purchase_id={"type": "string", "pattern": "^purchase_[0-9a-f]{16}$"},
    message={"type": "string"},
)
PURCHASED_EXAMPLE = {
    "success": True,
    "purchase_id": "purchase_14ba0dccd68dcc77",
    "message": "Purchase completed successfully",
}
STATS = answer(
    sale_id=_SALE_ID,
    stats=_object(
        start_time=_DIGITS,
        end_time=_DIGITS,
        total_items=_DIGITS,
        items_sold=_DIGITS,
        current_inventory=_DIGITS,
    ),
)
STATS_EXAMPLE = {
    "success": True,
    "sale_id": _SALE,
    "stats": {
        "start_time": "1795348800",
        "end_time": "1795352400",
        "total_items": "10000",
        "items_sold": "14",
        "current_inventory": "9986",
    },
}
STOCK = answer(
    sale_id=_SALE_ID,
    now_ms=_COUNT,
    start_time=_COUNT,
    end_time=_COUNT,
    total_items=_COUNT,
    items_sold=_COUNT,
    sold={"type": "string", "contentEncoding": "base64"},
)
STOCK_EXAMPLE = {
    "success": True,
    "sale_id": _SALE,
    "now_ms": 1795351608123,
    "start_time": 1795348800,
    "end_time": 1795352400,
    "total_items": 24,
    "items_sold": 2,
    "sold": "gQAA",
}
_ONE_ITEM = _object(
    id=ITEM,
    name={"type": "string"},
    image={"type": "string", "format": "uri-reference"},
    sold={"type": "boolean"},
)
_ONE_ITEM_EXAMPLE = {
    "id": 42,
    "name": "Fallomere Armchair",
    "image": "/items/42/image?sale=1795348800",
    "sold": False,
}
PAGE = answer(
    sale_id=_SALE_ID,
    total_items=_COUNT,
    items={"type": "array", "items": _ONE_ITEM, "maxItems": 1_000},
    next={"type": ["integer", "null"], "minimum": 1},
)
PAGE_EXAMPLE = {
    "success": True,
    "sale_id": _SALE,
    "total_items": ITEMS_MAX,
    "items": [_ONE_ITEM_EXAMPLE],
    "next": 42,
}
ONE = answer(sale_id=_SALE_ID, item=_ONE_ITEM)
ONE_EXAMPLE = {"success": True, "sale_id": _SALE, "item": _ONE_ITEM_EXAMPLE}
NAMES = answer(
    sale_id=_SALE_ID,
    image={"type": "string"},
    names={"type": "array", "items": {"type": "string"}},
)
NAMES_EXAMPLE = {
    "success": True,
    "sale_id": _SALE,
    "image": "/items/{id}/image?sale=1795348800",
    "names": ["Quimovale Cashmere Shawl", "Lunrera Chestnut Knapsack"],
}

_CHECK: Schema = {
    "type": "object",
    "properties": {
        "status": {"enum": ["up", "unsafe", "down"]},
        "latency_ms": {"type": "number", "minimum": 0},
        "breaker": {"type": "string"},
        "problems": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["status", "latency_ms", "problems"],
}
CHECKS: Schema = {"timestamp": _COUNT, "checks": _object(redis=_CHECK, postgres=_CHECK)}
_CHECK_EXAMPLE = {"status": "up", "latency_ms": 1.82, "breaker": "closed", "problems": []}
HEALTHY = answer(message={"type": "string"}, **CHECKS)
HEALTHY_EXAMPLE = {
    "success": True,
    "message": "Service is healthy",
    "timestamp": 1795351608,
    "checks": {"redis": _CHECK_EXAMPLE, "postgres": _CHECK_EXAMPLE},
}


def refusal(reasons: list[str], told_with: Schema | None = None) -> Schema:
    """A refusal with one of these words; `told_with` are fields that it may have besides."""
    found = _object(success={"const": False}, error={"enum": reasons}, message={"type": "string"})
    if told_with:
        found["properties"] = {**found["properties"], **told_with}
    return found
