"""The crowd of a run: impatient, greedy, forgetful, and all of it decided by the seed."""

import asyncio
import time
from random import Random

from flashsale.codes import CodeSigner

from tests.faults.schedule.gateway import Gateway
from tests.faults.schedule.history import FINAL, Call, Granted
from tests.faults.schedule.stores import CODE_KEYS
from tests.faults.schedule.world import World

_TWICE = 0.3  # purchases that are sent two times at once
_GIVES_UP = 0.1  # codes that are dropped after an undecided answer
_WAITS_OUT = 0.15  # codes that are sent again only when they have expired
_HANGS_UP = 0.08  # calls whose answer nobody waits for
_SENDS_AGAIN = 0.2  # codes that are sent again although the answer was final
_GREEDY_ITEMS = 14
_RETRIES_MAX = 40
_signer = CodeSigner.parse(CODE_KEYS)


class Buyer:
    """Wants some items, and knows of the codes it got for them."""

    def __init__(self, world: World, number: int) -> None:
        self.name = f"buyer-{number}"
        self.codes: list[Granted] = []
        self._world = world
        self._dice = Random(f"{world.plan.seed} {number}")
        self._greedy = number < 2

    async def shop(self) -> None:
        """Buy now and then until the world is over."""
        dice, world = self._dice, self._world
        wishes = _GREEDY_ITEMS if self._greedy else dice.randint(1, 5)
        wait = world.plan.seconds / (wishes + 1)
        for _ in range(wishes):
            await asyncio.sleep(dice.uniform(0.2, 1.4) * wait)
            if world.over.is_set():
                return
            # Half of all wishes go to a few items, for there to be rivals.
            item = dice.randint(1, world.plan.items if dice.random() < 0.5 else 12)
            code = await self._check_out(item)
            if code is not None:
                await self._buy(code)

    async def check_out(self, item: int) -> tuple[str, Granted | None]:
        """One checkout; returns its outcome and the code, if there is one."""
        call = Call("checkout", buyer=self.name, item=item)
        gateway = self._gateway()
        session = await self._world.call(
            gateway, call, gateway.service.shop.checkout(buyer=self.name, item=item)
        )
        if session is None:
            return call.outcome, None
        read = _signer.read(session.code)
        call.nonce = read.nonce
        code = Granted(
            text=session.code,
            nonce=read.nonce,
            item=item,
            buyer=self.name,
            expires_at=read.expires_at,
            purchase_id=read.purchase_id,
        )
        self.codes.append(code)
        return call.outcome, code

    async def send(self, code: Granted, *, patience: float = 60) -> str:
        """One purchase; returns its outcome."""
        call = Call("purchase", buyer=self.name, item=code.item, nonce=code.nonce)
        gateway = self._gateway()
        work = gateway.service.shop.purchase(code.text)
        call.purchase_id = await self._world.call(gateway, call, work, patience=patience) or ""
        return call.outcome

    async def insist(self, code: Granted) -> str:
        """Send a code until the answer is final; returns the last outcome."""
        for _ in range(_RETRIES_MAX):
            outcome = await self.send(code)
            if outcome == "ok" or outcome in FINAL:
                break
            await asyncio.sleep(0.1)
        return outcome

    async def _check_out(self, item: int) -> Granted | None:
        for _ in range(_RETRIES_MAX):
            outcome, code = await self.check_out(item)
            if code is not None or outcome in FINAL or self._world.over.is_set():
                return code
            await self._pause()
        return None

    async def _buy(self, code: Granted) -> None:
        dice, over = self._dice, self._world.over
        for _ in range(_RETRIES_MAX):
            patience = dice.uniform(0.005, 0.3) if dice.random() < _HANGS_UP else 60
            sends = 2 if dice.random() < _TWICE else 1
            outcomes = await asyncio.gather(
                *(self.send(code, patience=patience) for _ in range(sends))
            )
            if "ok" in outcomes or FINAL.intersection(outcomes):
                if dice.random() < _SENDS_AGAIN:
                    await self.send(code)
                return
            if over.is_set() or dice.random() < _GIVES_UP:
                return
            if dice.random() < _WAITS_OUT and self._world.plan.code_seconds < 5:
                await asyncio.sleep(max(0, code.expires_at - time.time()))
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self._dice.uniform(0.02, 0.15))

    def _gateway(self) -> Gateway:
        return self._dice.choice(self._world.gateways)
