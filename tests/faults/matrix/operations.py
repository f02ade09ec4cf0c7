"""What the processes of the matrix are about when fate strikes."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from flashsale.bootstrap import Service
from flashsale.codes import CheckoutCode
from flashsale.model import Attempt

from tests.faults.matrix.world import World


@dataclass(frozen=True)
class Scene:
    """`code` is the code it is about, `other` the one that another buyer sends."""

    code: CheckoutCode
    other: CheckoutCode


Prepare = Callable[[World], Awaitable[Scene]]
Act = Callable[[World, Service, Scene], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Operation:
    """`prepare` makes the world as it is before; `act` is what may be
    cut short. `away` names the store that this process can't reach."""

    prepare: Prepare
    act: Act
    away: str = ""
    attempts_mode: str = "ledger"
    loads: bool = False
    """It brings a Redis that knows nothing to know everything."""
    dead: int = 0
    """Entries of the stream that are no attempts."""


async def purchase(world: World, service: Service, scene: Scene) -> None:
    await world.buy(service, scene.code)


async def purchase_expired(world: World, service: Service, scene: Scene) -> None:
    await world.buy(service, world.expired(scene.code))


async def check_out(world: World, service: Service, scene: Scene) -> None:
    """And buy, if there is a code: so that the code's life goes on."""
    code = await world.check_out(service, scene.code.buyer, scene.code.item)
    if code is not None:
        await world.buy(service, code)


async def open_sale(world: World, service: Service, scene: Scene) -> None:
    await service.sales.open_due()


async def reconcile(world: World, service: Service, scene: Scene) -> None:
    await service.sales.reconcile()


async def persist(world: World, service: Service, scene: Scene) -> None:
    await service.attempts.persist(world.starts_at)


async def _unopened(world: World) -> Scene:
    world.close_sale()
    return _scene(world)


def _scene(world: World) -> Scene:
    return Scene(world.code("ann", 7), world.code("bob", 7))


async def _opened(world: World) -> Scene:
    await world.open()
    return _scene(world)


async def _known(world: World, *sales: CheckoutCode) -> None:
    """Sold, and Redis knows."""
    await world.inventory.confirm_all([world.sell(code) for code in sales])


async def _nine_bought(world: World) -> Scene:
    """Ann has nine items and codes for two more."""
    await world.open()
    await _known(world, *(world.code("ann", item) for item in (1, 2, 3, 4, 5, 6, 8, 9, 10)))
    return Scene(world.code("ann", 7), world.code("ann", 11))


async def _ten_bought(world: World) -> Scene:
    """Ann has ten items, and Redis knows of none."""
    await world.open()
    for item in (1, 2, 3, 4, 5, 6, 8, 9, 10, 11):
        world.sell(world.code("ann", item))
    world.weather.restart_redis()
    return Scene(world.code("ann", 7), world.code("bob", 7))


async def _bought_by_another(world: World) -> Scene:
    """Bob has the item, and Redis does not know."""
    await world.open()
    scene = _scene(world)
    world.sell(scene.other)
    world.weather.restart_redis()
    return scene


async def _held_by_the_dead(world: World) -> Scene:
    """Bob's purchase died, and its lease is over."""
    scene = await _opened(world)
    await world.inventory.claim(scene.other)
    world.weather.end_leases()
    return scene


async def _forgotten(world: World) -> Scene:
    """Some items are sold, and Redis is empty."""
    await world.open()
    for item in (1, 2, 3, 4):
        world.sell(world.code(f"carl-{item}", item))
    world.weather.lose_redis()
    return _scene(world)


async def _left_behind(world: World) -> Scene:
    """Two crashed purchases, one without and one with its row, and a sale that Redis forgot when
    it was restarted."""
    scene = await _opened(world)
    sold = world.code("bob", 8)
    await asyncio.gather(*map(world.inventory.claim, (scene.code, sold)))
    world.sell(sold)
    for item in (1, 2, 3):
        world.sell(world.code(f"carl-{item}", item))
    world.weather.end_leases()
    world.weather.restart_redis()
    return scene


async def _waiting_attempts(world: World) -> Scene:
    """Three attempts wait in the stream, and something that is none."""
    scene = await _opened(world)
    for code in (scene.code, scene.other, world.code("cid", 5)):
        attempt = Attempt(
            world.starts_at * 1_000 + 1,
            code.nonce,
            code.starts_at,
            code.buyer,
            code.item,
            "sold_out",
        )
        if code.buyer == "cid":
            attempt = dataclasses.replace(attempt, outcome="nonsense")
        else:
            world.history.attempts.append((code.buyer, code.item))
        await world.inventory.attempts.append(attempt)
    return scene


OPERATIONS = {
    "purchase": Operation(_opened, purchase),
    "purchase_of_the_tenth": Operation(_nine_bought, purchase),
    "purchase_of_the_eleventh": Operation(_ten_bought, purchase),
    "purchase_of_what_is_sold": Operation(_bought_by_another, purchase),
    "purchase_of_what_a_dead_one_holds": Operation(_held_by_the_dead, purchase),
    "purchase_too_late": Operation(_opened, purchase_expired),
    "purchase_in_an_empty_redis": Operation(_forgotten, purchase),
    "purchase_without_redis": Operation(_opened, purchase, away="redis"),
    "checkout": Operation(_opened, check_out),
    "checkout_in_the_stream": Operation(_opened, check_out, attempts_mode="stream"),
    "checkout_without_redis": Operation(_opened, check_out, away="redis"),
    "checkout_without_postgresql": Operation(_opened, check_out, away="postgresql"),
    "opening": Operation(_unopened, open_sale, loads=True),
    "rebuild": Operation(_forgotten, open_sale, loads=True),
    "reconcile": Operation(_left_behind, reconcile),
    "persist_attempts": Operation(_waiting_attempts, persist, dead=1),
}
