"""Fuzzes the functions, on real stores: each request in both shapes of event, answers compared."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil
from flashsale import bootstrap
from flashsale.request import QUERY_BYTES_MAX

from local.functions import load_functions
from local.runtime.function import Function
from local.serve import TEMPLATE
from local.template import Template
from tests.fuzz.asks import Ask, Asker, Event, http_event, rest_event

AT_ONCE = 64
ANSWER_SECONDS_MAX = 10.0
GOOD_CODES = 200
EXPECTED = {200, 304, 400, 404, 405, 409, 410, 413, 414, 429}


@dataclass
class Findings:
    """What went wrong, and how often each answer was given."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    rss_bytes: list[int] = field(default_factory=list)

    @property
    def grown_bytes(self) -> int:
        """By how much the process grew after its first fifth, when its caches were full."""
        return self.rss_bytes[-1] - self.rss_bytes[len(self.rss_bytes) // 5]


async def fuzz(count: int, seed: int, progress: Callable[[int], None]) -> Findings:
    """Send `count` requests; `progress` hears how many are done since the last time."""
    functions = {f.spec.name: f for f in load_functions(Template.read(TEMPLATE))}
    for name in ("MigrateFunction", "CreateSaleFunction"):
        await functions[name].invoke({})
    findings = Findings()
    codes = [await _code(functions, f"buyer-{n // 5}", n + 1) for n in range(GOOD_CODES)]
    asker = Asker(seed, codes)
    try:
        for first in range(0, count, 1_000):
            asks = [asker.ask() for _ in range(min(1_000, count - first))]
            queue = iter(asks)
            await asyncio.gather(*(_work(functions, queue, findings) for _ in range(AT_ONCE)))
            findings.rss_bytes.append(psutil.Process().memory_info().rss)
            progress(len(asks))
    finally:
        await bootstrap.close()
    return findings


async def _work(functions: dict[str, Function], queue: Any, findings: Findings) -> None:
    for ask in queue:
        function = functions[ask.function]
        told = await _answer(function, http_event(ask), ask, findings)
        other = rest_event(ask)
        if other is None or len(ask.raw) > QUERY_BYTES_MAX:
            continue  # a long query may be short when it is encoded anew
        also = await _answer(function, other, ask, findings)
        if told != also and not _sold_meanwhile(told, also):
            findings.wrong.append(f"two shapes, two verdicts: {told}, {also}: {ask}")


def _sold_meanwhile(told: tuple[int, str], also: tuple[int, str]) -> bool:
    """What could be had before may be gone now; never the other way round."""
    return told[0] == 200 and also in ((409, "sold_out"), (409, "limit_exceeded"))


async def _answer(
    function: Function, event: Event, ask: Ask, findings: Findings
) -> tuple[int, str]:
    """Status and reason of the answer; what is no answer of the contract is noted."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            response = await function.invoke(event)
    except TimeoutError:
        findings.wrong.append(f"no answer: {ask}")
        return 0, "hang"
    status: int = response["statusCode"]
    is_json = response["headers"]["content-type"] == "application/json"
    told = json.loads(response["body"]) if is_json else {"success": True}
    reason = str(told.get("error", "ok"))
    findings.answers[f"{status} {reason}"] += 1
    if status not in EXPECTED:
        findings.wrong.append(f"{status} {reason}: {ask}")
    if is_json and told["success"] is not (status == 200):
        findings.wrong.append(f"success is {told['success']} with {status}: {ask}")
    return status, reason


async def _code(functions: dict[str, Function], buyer: str, item: int) -> str:
    ask = Ask(
        function="CheckoutFunction",
        route="POST /checkout",
        method="POST",
        path="/checkout",
        raw=f"user_id={buyer}&id={item}",
        pairs=None,
        item=None,
        headers={},
        body=None,
    )
    response = await functions["CheckoutFunction"].invoke(http_event(ask))
    return str(json.loads(response["body"])["checkout_code"])
