"""The tests `checkout` and `limits`: buyers nobody has seen before, and items that are left."""

import asyncio
import random
import re
import time

from local.bench import service
from local.trial.site import Answer, CheckFailedError, Site, new_buyer
from local.trial.trial import Bought, Trial

ITEMS_A_BUYER = 10
# Others buy, too: so many items may be gone before we have them.
TRIES_MAX = 50
# /stats and refusals may lag behind a purchase.
CATCH_UP_SECONDS = 10.0
GONE = "others bought every item first: try again in a calmer moment"
PURCHASE_ID = re.compile(r"purchase_[0-9a-f]{16}")


def checkout(trial: Trial) -> None:
    """Buys one item."""
    test, site, buyer = "checkout", trial.site, new_buyer()
    left = trial.check(test, "some items are left", lambda: _left(site))
    if not left:
        return
    before = asyncio.run(service.stats(site.address))
    code = trial.check(test, "an item is checked out and bought", lambda: _buy(trial, buyer, left))
    if code is None:
        return
    bought = trial.bought[-1]
    trial.check(test, "the same code gives the same purchase", lambda: _same(site, code, bought))
    trial.check(test, "nobody else gets the item", lambda: _sold_out(site, bought.item))
    trial.check(test, "its purchase is counted in /stats", lambda: _counted(site, before))


def limits(trial: Trial) -> None:
    """Buys ten items for one buyer."""
    test, site, buyer = "limits", trial.site, new_buyer()
    left = trial.check(test, "enough items are left", lambda: _left(site, ITEMS_A_BUYER + 3))
    if not left:
        return
    early = trial.check(
        test, "an item is checked out before the limit", lambda: _code(site, buyer, left)
    )
    for number in range(1, ITEMS_A_BUYER + 1):
        name = f"item {number} of {ITEMS_A_BUYER} is bought"
        if trial.check(test, name, lambda: _buy(trial, buyer, left)) is None:
            return
    trial.check(test, "the eleventh checkout is refused", lambda: _at_limit(site, buyer, left))
    if early is not None:
        name = "the eleventh purchase is refused, whenever it was checked out"
        trial.check(test, name, lambda: _late_purchase(site, early))
    trial.check(test, "another buyer still gets a code", lambda: _code(site, new_buyer(), left))


def _left(site: Site, least: int = 1) -> list[int]:
    """Items that are not sold yet, at random. Raises `CheckFailedError` if there are too few."""
    left = asyncio.run(service.unsold(site.address))
    if len(left) < least:
        raise CheckFailedError(f"{len(left)} items are left: try again in the next sale")
    return random.sample(left, len(left))


def _code(site: Site, buyer: str, left: list[int]) -> str:
    """A code for the first item of the list that nobody else has bought meanwhile; takes it."""
    for _ in range(min(TRIES_MAX, len(left))):
        answer = site.checkout(buyer, left.pop())
        if not _is_sold(answer):
            return str(answer.must_be(200)["checkout_code"])
    raise CheckFailedError(GONE)


def _at_limit(site: Site, buyer: str, left: list[int]) -> None:
    """The buyer is refused an item that nobody else has bought meanwhile."""
    for item in left[-TRIES_MAX:]:
        answer = site.checkout(buyer, item)
        if not _is_sold(answer):
            answer.must_be(409, "limit_exceeded")
            return
    raise CheckFailedError(GONE)


def _late_purchase(site: Site, code: str) -> None:
    answer = site.purchase(code)
    if not _is_sold(answer):  # somebody else has the item: that is said first
        answer.must_be(409, "limit_exceeded")


def _is_sold(answer: Answer) -> bool:
    return answer.status == 409 and answer.told.get("error") == "sold_out"


def _buy(trial: Trial, buyer: str, left: list[int]) -> str:
    """Buy one of the items, and take it from the list; the code that bought it."""
    site = trial.site
    for _ in range(min(TRIES_MAX, len(left))):
        item = left.pop()
        answer = site.checkout(buyer, item)
        if _is_sold(answer):
            continue  # somebody was faster
        code = str(answer.must_be(200)["checkout_code"])
        answer = site.purchase(code)
        if _is_sold(answer):
            continue
        purchase_id = str(answer.must_be(200).get("purchase_id"))
        trial.bought.append(Bought(item, buyer, purchase_id))
        if not PURCHASE_ID.fullmatch(purchase_id):
            raise CheckFailedError(f"purchase_id is {purchase_id!r}")
        return code
    raise CheckFailedError(GONE)


def _same(site: Site, code: str, bought: Bought) -> None:
    again = site.purchase(code).must_be(200).get("purchase_id")
    if again != bought.purchase_id:
        raise CheckFailedError(f"first {bought.purchase_id}, then {again}")


def _sold_out(site: Site, item: int) -> None:
    """The item is refused to somebody else: at the checkout or, while the sale is being noted down,
    at the purchase."""
    answer = site.checkout(new_buyer(), item)
    if answer.status == 200:
        answer = site.purchase(str(answer.told["checkout_code"]))
    answer.must_be(409, "sold_out")


def _counted(site: Site, before: service.Stats) -> None:
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while (now := asyncio.run(service.stats(site.address))).sold <= before.sold:
        if now.sale_id != before.sale_id:
            return  # the hour has turned meanwhile
        if time.monotonic() > deadline:
            raise CheckFailedError(f"{now.sold} items sold, as before")
        time.sleep(0.2)
