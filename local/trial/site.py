"""A deployment as a buyer meets it: requests, and answers that were expected."""

import asyncio
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from local.bench.address import Address
from local.bench.connection import ask

BUSY = (429, 503)
PATIENCE_SECONDS = 15.0
PAUSE_SECONDS_MAX = 5.0


class CheckFailedError(Exception):
    """The service did not do what it should; the message says what it did."""


@dataclass(frozen=True)
class Answer:
    """`head` is the status line and the headers, in lower case; `told` is the JSON object, empty
    for other content."""

    request: str
    status: int
    head: str
    body: bytes
    told: dict[str, Any]

    def must_be(self, status: int, error: str = "") -> dict[str, Any]:
        """The JSON object. Raises `CheckFailedError` for another status or error word, or if
        `success` doesn't agree."""
        shape = self.told.get("success") is (status == 200) and self.told.get("error", "") == error
        if self.status != status or not shape:
            wanted = f"{status} {error}".strip()
            said = self.body[:200].decode(errors="replace")
            raise CheckFailedError(f"{self.request}: {self.status} {said}, not {wanted}")
        return self.told


class Site:
    """Asks one deployment. A 503 or a 429 is no answer: it asks again, as a buyer should."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def call(self, method: str, target: str) -> Answer:
        """Raises `CheckFailedError` if there is no answer, or none but "later" for 15 s."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                reply = asyncio.run(ask(self.address, method, target))
            except OSError as error:
                reason = error or type(error).__name__
                raise CheckFailedError(f"{method} {target}: no answer: {reason}") from error
            if reply.status not in BUSY or time.monotonic() > deadline:
                break
            time.sleep(min(reply.retry_after_seconds() or 1.0, PAUSE_SECONDS_MAX))
        return Answer(
            f"{method} {target.partition('?')[0]}",
            reply.status,
            reply.head.decode("latin-1"),
            reply.body,
            _object(reply.body),
        )

    def checkout(self, buyer: str, item: int) -> Answer:
        return self.call("POST", f"/checkout?user_id={buyer}&id={item}")

    def purchase(self, code: str) -> Answer:
        return self.call("POST", f"/purchase?code={code}")


def new_buyer() -> str:
    """A buyer whom nobody has seen before."""
    return f"test-{secrets.token_hex(8)}"


def _object(body: bytes) -> dict[str, Any]:
    try:
        told: object = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
