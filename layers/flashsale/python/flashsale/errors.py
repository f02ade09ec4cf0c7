"""Everything that can be told to a buyer, and everything that goes wrong behind their back.

Refusal                 an answer: the request was understood and is not granted
├── Malformed           the request breaks the contract
│   ├── InvalidCode     the code is not one of ours
│   │   └── UnknownKey
│   ├── BodyTooLarge
│   └── QueryTooLong
├── Unauthorized        there is no token that says who asks
├── Forbidden           the token is somebody else's
├── NotFound            no such path
│   └── UnknownItem
├── MethodNotAllowed
├── SoldOut             the item belongs to somebody else, for good
├── LimitExceeded       the buyer has ten items, for good
├── CodeExpired         this code never sells
├── SaleEnded           this code never sells: its sale is over
└── TryAgain            nothing final: worth sending again
    ├── Busy            somebody is buying this item at this moment
    ├── OutcomeUnknown  the purchase may have happened: the same code tells
    ├── Unavailable     a store is away; nothing happened
    ├── Overloaded      too many wait already; nothing happened
    ├── RateLimited     this buyer, or this address, asks too often; nothing happened
    └── SaleNotReady    the hour's sale is being opened

Fault                   for the operator; a buyer hears TryAgain
├── StoreDown           the store could not be reached: nothing was done
├── StoreSilent         the store was reached and gave no answer: what happened is unknown
└── EntryRejected       the store refused a batch for its content: a smaller one may pass

ConfigError             a setting is wrong; raised at start only
"""

from typing import ClassVar


class Refusal(Exception):
    """An answer that is not a 200. `reason` is the stable word clients may rely on."""

    reason: ClassVar[str] = "refused"
    message: str = "The request was refused"

    def __init__(self, message: str | None = None) -> None:
        if message is not None:
            self.message = message
        super().__init__(self.message)


class Malformed(Refusal):
    reason = "malformed"
    message = "The request is malformed"


class InvalidCode(Malformed):
    reason = "invalid_code"
    message = "invalid checkout code"


class UnknownKey(InvalidCode):
    """It names a key that we don't have; a buyer hears the same as of any other invalid code."""


class BodyTooLarge(Malformed):
    reason = "too_large"
    message = "the body must be empty: parameters go in the query string"


class QueryTooLong(Malformed):
    reason = "too_long"
    message = "the query string is too long"


class Unauthorized(Refusal):
    reason = "unauthorized"
    message = "a bearer token is required"


class Forbidden(Refusal):
    reason = "forbidden"
    message = "the token is not this buyer's"


class NotFound(Refusal):
    reason = "not_found"
    message = "no such path"


class UnknownItem(NotFound):
    reason = "unknown_item"
    message = "no such item"


class MethodNotAllowed(Refusal):
    """The path exists, the method doesn't. `allow` is the Allow header's value."""

    reason = "method_not_allowed"
    message = "method not allowed"

    def __init__(self, allow: str) -> None:
        super().__init__(f"method not allowed: use {allow}")
        self.allow = allow


class SoldOut(Refusal):
    reason = "sold_out"
    message = "item sold out"


class LimitExceeded(Refusal):
    reason = "limit_exceeded"
    message = "user purchase limit exceeded"


class CodeExpired(Refusal):
    reason = "code_expired"
    message = "checkout code expired"


class SaleEnded(Refusal):
    reason = "sale_ended"
    message = "sale has ended"


class TryAgain(Refusal):
    """Nothing final was decided. `retry_after_seconds` is what Retry-After says."""

    reason = "unavailable"
    message = "temporarily unavailable, try again"
    retry_after_seconds: int = 1


class Busy(TryAgain):
    reason = "busy"
    message = "item is being bought, send the same code again"


class OutcomeUnknown(TryAgain):
    reason = "outcome_unknown"
    message = "the outcome is not known yet, send the same code again"


class Unavailable(TryAgain):
    reason = "unavailable"


class Overloaded(TryAgain):
    reason = "overloaded"
    message = "too many requests are waiting, try again"


class RateLimited(TryAgain):
    """`kind` says whose bucket is empty (buyer, address, all), `burst` how many requests it holds
    when full, `wait_ms` when the next one is let pass."""

    reason = "rate_limited"
    message = "too many requests, slow down"

    def __init__(self, kind: str, *, burst: int, wait_ms: int) -> None:
        super().__init__()
        self.kind = kind
        self.burst = burst
        self.retry_after_seconds = max(1, -(-wait_ms // 1_000))


class SaleNotReady(TryAgain):
    reason = "sale_not_ready"
    message = "the sale is being opened, try again"


class Fault(Exception):
    """Something behind the service went wrong."""


class StoreDown(Fault):
    """The store could not be reached; nothing was done."""


class StoreSilent(Fault):
    """The store was reached and did not answer; what it did is unknown."""


class EntryRejected(Fault):
    """The store refused the batch for what is in it; nothing of it stands, or repeating is safe."""


class ConfigError(Exception):
    """A setting is missing or wrong; the message names it, its value and the reason."""
