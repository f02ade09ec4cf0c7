"""`flashsale audit`: the layer's audit, run from a terminal and shown."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flashsale import bootstrap
from flashsale.config import Settings
from flashsale.model import Sale

from local.errors import LocalError

PROMISES = {
    0: "besides",
    1: "an item is sold at most once",
    2: "ten items a buyer at most",
    3: "a 200 means a row",
    4: "refused for good is never sold",
    5: "one code, one purchase id",
    6: "what is not sold can be bought",
}
_SALE_ID = re.compile(r"sale_(\d+)_[0-9a-f]{8}")


def audit_sale(environment: Mapping[str, str], sale_id: str | None) -> dict[str, Any]:
    """Audit one sale, the current one unless named, and report what was found.

    Raises:
        LocalError: there is no such sale.
        Fault: a store can't be read.
    """
    settings = Settings.read(environment)
    return asyncio.run(_audit(settings, sale_id))


async def _audit(settings: Settings, sale_id: str | None) -> dict[str, Any]:
    service = bootstrap.build(settings)
    try:
        sale = _sale(service, sale_id)
        findings = await service.audit.run(sale)
    finally:
        await service.close()
    return {
        "sale_id": sale.id,
        "violations": sum(finding.violations for finding in findings),
        "checks": [asdict(finding) for finding in findings],
    }


def _sale(service: bootstrap.Service, sale_id: str | None) -> Sale:
    if sale_id is None:
        return service.sales.current()
    match = _SALE_ID.fullmatch(sale_id)
    sale = service.sales.calendar.sale_at(int(match[1])) if match else None
    if sale is None or sale.id != sale_id:
        raise LocalError(f"{sale_id!r} is no sale's name: /stats tells the current one's")
    return sale


def table(report: Mapping[str, Any]) -> str:
    """The report for people: a line a check, the broken ones with an example."""
    lines = [f"{report['sale_id']}: {report['violations']} violations", ""]
    for check in report["checks"]:
        mark = "ok " if not check["violations"] else f"{check['violations']:>3}"
        example = f"   as {check['example']}" if check["example"] else ""
        promise = f"{check['promise'] or '-'} {PROMISES[check['promise']]}"
        lines.append(f"  {mark}  {promise:<34} {check['check']}{example}")
    return "\n".join(lines)
