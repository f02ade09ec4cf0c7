"""What the API can be asked, in one table: for each route its parameters, and every answer.

Statuses, words and sentences of refusals are those of their classes; patterns and limits are those
that the handlers apply. `openapi.py` renders the table, and a test holds every answer of the
contract's tests against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flashsale import errors
from flashsale.request import _BUYER
from flashsale.web import shapes

Schema = Mapping[str, Any]

_NUMBER_MAX = 9_999_999_999  # ten digits, the most that a number may have


@dataclass(frozen=True)
class Parameter:
    """A parameter in the query, or in the path. `example` is one that works."""

    name: str
    about: str
    schema: Schema
    example: object
    required: bool = True
    place: str = "query"


@dataclass(frozen=True)
class Operation:
    """One route. `refusals` are those that are its own, beside `ANYWHERE`'s and those that any
    answer from the stores may be."""

    route: str
    name: str
    summary: str
    about: str
    body: Schema
    example: object
    parameters: tuple[Parameter, ...] = ()
    refusals: tuple[type[errors.Refusal] | errors.Refusal, ...] = ()
    media_type: str = "application/json"
    revalidates: bool = False
    asks_stores: bool = True
    told_with: Mapping[int, Schema] = field(default_factory=dict)
    """Fields beside error and message, by status."""

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.route.partition(" ")[2]


ANYWHERE = (
    errors.Malformed("unknown parameter: this path takes none"),
    errors.BodyTooLarge,
    errors.QueryTooLong,
)
FROM_STORES = (errors.Unavailable, errors.Overloaded, errors.OutcomeUnknown)
# Where the operator asks for tokens, or limits how often one may ask.
WHO_AND_HOW_OFTEN = (
    errors.Unauthorized,
    errors.Forbidden,
    errors.RateLimited("buyer", burst=1_000, wait_ms=1_000),
)

_ITEM = Parameter("id", "The item's number.", shapes.ITEM, 42)
_ITEM_IN_PATH = Parameter("id", "The item's number.", shapes.ITEM, 42, place="path")

OPERATIONS = (
    Operation(
        "POST /checkout",
        "checkout",
        "Get a code for one item of the current sale",
        "Reserves nothing: others may have a code for the same item, and may be faster. Repeating"
        " it is harmless; each call gives a code of its own.",
        shapes.CHECKED_OUT,
        shapes.CHECKED_OUT_EXAMPLE,
        parameters=(
            Parameter(
                "user_id",
                "The buyer; case-sensitive.",
                {"type": "string", "pattern": f"^{_BUYER.pattern}$"},
                "alice",
            ),
            _ITEM,
        ),
        refusals=(
            errors.Malformed("id must be a whole number in plain digits"),
            errors.UnknownItem,
            errors.SoldOut,
            errors.LimitExceeded,
            errors.SaleNotReady,
            *WHO_AND_HOW_OFTEN,
        ),
    ),
    Operation(
        "POST /purchase",
        "purchase",
        "Buy the item that a code is for",
        "A 200 means that the sale is committed and survives any crash. The same code gives the"
        " same answer however often it is sent. After a 503, or no answer at all, send the same"
        " code again, never a new checkout: it may have been sold to this buyer.",
        shapes.PURCHASED,
        shapes.PURCHASED_EXAMPLE,
        parameters=(
            Parameter(
                "code",
                "The `checkout_code`, exactly as it was given.",
                {"type": "string", "minLength": 1, "maxLength": 400},
                shapes.CODE_EXAMPLE,
            ),
        ),
        refusals=(
            errors.Malformed("code is required"),
            errors.InvalidCode,
            errors.SoldOut,
            errors.LimitExceeded,
            errors.CodeExpired,
            errors.SaleEnded,
            errors.Busy,
            errors.SaleNotReady,
            *WHO_AND_HOW_OFTEN,
        ),
    ),
    Operation(
        "GET /stats",
        "stats",
        "How the current sale stands",
        "Numbers are strings; times are Unix seconds. `items_sold` may lag for a moment.",
        shapes.STATS,
        shapes.STATS_EXAMPLE,
    ),
    Operation(
        "GET /stock",
        "stock",
        "How the current sale stands, item by item",
        "The whole sale in one small answer, at most a second old, with the server's clock: what a"
        " page needs that shows all items. Bit (n - 1) % 8, from the least significant, of byte"
        " (n - 1) // 8 of `sold` says that item n is sold. A bit that is set stays set.",
        shapes.STOCK,
        shapes.STOCK_EXAMPLE,
    ),
    Operation(
        "GET /items",
        "items",
        "A page of the current sale",
        "In order of `id`. `next` is the `after` of the next page, null on the last. If `sale_id`"
        " changes between two pages, the hour has turned. `sold` is a hint: only a purchase tells.",
        shapes.PAGE,
        shapes.PAGE_EXAMPLE,
        parameters=(
            Parameter(
                "after",
                "Begin behind this item.",
                {"type": "integer", "minimum": 0, "maximum": _NUMBER_MAX, "default": 0},
                0,
                required=False,
            ),
            Parameter(
                "limit",
                "At most so many; more than 1000 count as 1000.",
                {"type": "integer", "minimum": 1, "maximum": _NUMBER_MAX, "default": 100},
                2,
                required=False,
            ),
        ),
        refusals=(errors.Malformed("limit must be at least 1"),),
    ),
    Operation(
        "GET /items/{id}",
        "item",
        "One item of the current sale",
        "",
        shapes.ONE,
        shapes.ONE_EXAMPLE,
        parameters=(_ITEM_IN_PATH,),
        refusals=(errors.UnknownItem,),
    ),
    Operation(
        "GET /items/{id}/image",
        "image",
        "An item's picture",
        "With `sale` it is one picture for good, and may be kept for a year. Without, it is that of"
        " the sale that is on. `If-None-Match` with its `ETag` gives 304.",
        {"type": "string"},
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200"></svg>',
        parameters=(
            _ITEM_IN_PATH,
            Parameter(
                "sale", "The sale's start.", shapes.START, shapes.START_EXAMPLE, required=False
            ),
        ),
        refusals=(errors.UnknownItem, errors.NotFound("no such sale")),
        media_type="image/svg+xml",
        revalidates=True,
        asks_stores=False,
    ),
    Operation(
        "GET /names",
        "names",
        "All names of a sale",
        "In order: the first is item 1's. They never change, and may be kept for a year. `image` is"
        " the address of each picture, with `{id}` for the number.",
        shapes.NAMES,
        shapes.NAMES_EXAMPLE,
        parameters=(Parameter("sale", "The sale's start.", shapes.START, shapes.START_EXAMPLE),),
        refusals=(errors.NotFound("no such sale"),),
        revalidates=True,
        asks_stores=False,
    ),
    Operation(
        "GET /health",
        "health",
        "Whether both stores are there and keep what they are told",
        "For load balancers and operators; a shop need not ask.",
        shapes.HEALTHY,
        shapes.HEALTHY_EXAMPLE,
        refusals=(errors.Unavailable("Service is unhealthy"),),
        told_with={503: shapes.CHECKS},
    ),
    Operation(
        "GET /openapi.json",
        "openapi",
        "This document",
        "",
        {"type": "object", "required": ["openapi", "paths"]},
        {"openapi": "3.1.0", "paths": {}},
        revalidates=True,
        asks_stores=False,
    ),
)
