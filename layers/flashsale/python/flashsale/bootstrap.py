"""Puts the parts together, once per process and event loop, when first asked for one."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from flashsale.attempts import Attempts
from flashsale.audit import Audit
from flashsale.background import Background
from flashsale.config import Settings
from flashsale.health import Health
from flashsale.inventory import Inventory
from flashsale.keyring import Keyring
from flashsale.ledger import Ledger
from flashsale.logs import lines, logger
from flashsale.metrics import metrics
from flashsale.rates import Rates
from flashsale.sales import Sales
from flashsale.shop import Shop
from flashsale.showcase import Showcase


@dataclass(frozen=True)
class Service:
    """Everything that a function may ask for."""

    settings: Settings
    shop: Shop
    sales: Sales
    showcase: Showcase
    attempts: Attempts
    audit: Audit
    health: Health
    keyring: Keyring
    inventory: Inventory
    ledger: Ledger
    background: Background

    async def settled(self) -> None:
        """Wait for what replies did not wait for."""
        await self.background.settled()
        await self.keyring.settled()

    async def close(self) -> None:
        """Finish what is under way, then disconnect."""
        await self.settled()
        await self.ledger.close()
        await self.inventory.close()


_services: dict[asyncio.AbstractEventLoop, Service] = {}


def service() -> Service:
    """The service of the running event loop. Connects to nothing yet."""
    loop = asyncio.get_running_loop()
    made = _services.get(loop)
    if made is None:
        made = _services[loop] = build(Settings.read())
    return made


async def settled() -> None:
    """Wait for what replies did not wait for."""
    made = _services.get(asyncio.get_running_loop())
    if made is not None:
        await made.settled()


async def close() -> None:
    """Close the running loop's service, if it was ever asked for."""
    made = _services.pop(asyncio.get_running_loop(), None)
    if made is not None:
        await made.close()
    write_out()


def write_out() -> None:
    """Write the log lines and metrics that wait to be written."""
    metrics().flush()
    lines().flush()


def build(settings: Settings, clock: Callable[[], float] = time.time) -> Service:
    """Make a service from settings. `clock` gives Unix seconds.

    Raises:
        ConfigError: a setting is wrong. A secret is not read yet: a function whose work needs
            none may not be allowed to.
    """
    if settings.auth == "none" and settings.aws_lambda_function_name:
        logger().warning("AUTH is none: anybody may buy in anybody's name")
    keyring = Keyring(settings)
    rates = Rates(settings, key=keyring.bucket_key)
    inventory = Inventory(settings, rates.as_argument())
    ledger, background = Ledger(settings), Background()
    attempts = Attempts(settings, inventory, ledger)
    sales = Sales(settings, inventory, ledger, clock)
    inventory.on_new_server = lambda: background.start(sales.heal(), what="heal")
    shop = Shop(
        settings,
        keyring=keyring,
        inventory=inventory,
        ledger=ledger,
        attempts=attempts,
        sales=sales,
        background=background,
        rates=rates,
    )
    return Service(
        settings=settings,
        shop=shop,
        sales=sales,
        showcase=Showcase(sales),
        attempts=attempts,
        audit=Audit(inventory, ledger),
        health=Health(settings, inventory, ledger),
        keyring=keyring,
        inventory=inventory,
        ledger=ledger,
        background=background,
    )
