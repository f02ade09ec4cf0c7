"""The test `basic`: what everybody may look at, and how mistakes are answered."""

import re
from functools import partial

from local.trial.site import CheckFailedError, Site, new_buyer
from local.trial.trial import Trial

TEST = "basic"
SALE_ID = re.compile(r"sale_\d+_[0-9a-f]{8}")
MISTAKES = (
    ("POST", "/checkout", 400, "malformed", "a checkout without parameters is malformed"),
    ("POST", "/checkout?user_id={buyer}", 400, "malformed", "a checkout without an item is, too"),
    ("POST", "/checkout?user_id={buyer}&id=x", 400, "malformed", "an item must be a number"),
    ("POST", "/checkout?user_id={buyer}&id=10001", 404, "unknown_item", "no item is beyond 10000"),
    ("POST", "/purchase", 400, "malformed", "a purchase without a code is malformed"),
    ("POST", "/purchase?code=no-code-of-ours", 400, "invalid_code", "a made-up code is refused"),
    ("GET", "/checkout?user_id={buyer}&id=1", 405, "method_not_allowed", "a checkout is a POST"),
    ("GET", "/no/such/path", 404, "not_found", "an unknown path is not found"),
)


def basic(trial: Trial) -> None:
    """Buys nothing."""
    site = trial.site
    trial.check(TEST, "GET /health says healthy", lambda: site.call("GET", "/health").must_be(200))
    trial.check(TEST, "GET /stats adds up", lambda: _stats(site))
    trial.check(TEST, "GET /items lists items, one by one and with a picture", lambda: _items(site))
    for method, target, status, error, name in MISTAKES:
        ask = partial(_mistake, site, method, target.format(buyer=new_buyer()), status, error)
        trial.check(TEST, name, ask)


def _mistake(site: Site, method: str, target: str, status: int, error: str) -> None:
    told = site.call(method, target).must_be(status, error)
    if not told.get("message"):
        raise CheckFailedError(f"{method} {target}: there is no message for people")


def _stats(site: Site) -> None:
    told = site.call("GET", "/stats").must_be(200)
    stats = told.get("stats", {})
    if not SALE_ID.fullmatch(str(told.get("sale_id"))):
        raise CheckFailedError(f"sale_id is {told.get('sale_id')!r}")
    names = ("start_time", "end_time", "total_items", "items_sold", "current_inventory")
    wrong = [name for name in names if not str(stats.get(name, "")).isdecimal()]
    if wrong or not all(isinstance(stats[name], str) for name in names):
        raise CheckFailedError(f"not all of {', '.join(names)} are numbers in strings: {stats}")
    start, end, total, sold, left = (int(stats[name]) for name in names)
    if sold + left != total or not start < end:
        raise CheckFailedError(f"it does not add up: {stats}")


def _items(site: Site) -> None:
    page = site.call("GET", "/items?limit=2").must_be(200)
    if [item.get("id") for item in page.get("items", [])] != [1, 2]:
        raise CheckFailedError(f"the first two items are {page.get('items')}")
    item = site.call("GET", "/items/2").must_be(200)["item"]
    if item["name"] != page["items"][1]["name"]:
        raise CheckFailedError(f"item 2 is {item['name']} alone and otherwise in the list")
    picture = site.call("GET", item["image"])
    if picture.status != 200 or "content-type: image/svg" not in picture.head:
        raise CheckFailedError(f"{item['image']} is no picture: {picture.status}")
