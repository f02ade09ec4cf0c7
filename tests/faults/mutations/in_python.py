"""Bugs planted in our own code."""

from tests.faults.mutations.mutation import bug, layer, matrix

_SALES, _SHOP, _ATTEMPTS = "sales.py", "shop.py", "attempts.py"

IN_PYTHON = {
    "acknowledged_before_the_commit": bug(
        "a purchase is acknowledged while its row is still to be written",
        matrix("purchase-dies-stores_keep-nobody"),
        (
            "ledger/ledger.py",
            "        return await self._purchases.add(code)\n",
            "        self._purchases.add(code)\n        return SOLD\n",
        ),
    ),
    "expired_without_a_fence": bug(
        "a buyer is told expired as soon as the ledger has no row",
        matrix("purchase-freezes-redis_lost-same_expired"),
        (
            _SHOP,
            "if await self._ledger.fence(code):",
            'if (await self._ledger.look_up(code)).word == "sold":',
        ),
    ),
    "given_back_without_a_fence": bug(
        "reconcile gives back what has no row yet",
        layer("test_crashes.py::test_an_abandoned_claim_is_given_back_and_its_code_never_sells"),
        (
            _SALES,
            "*(self._ledger.fence(claim) for claim in overdue))\n",
            (
                "*(self._ledger.look_up(claim) for claim in overdue))\n"
                '        had_sold = [found.word == "sold" for found in had_sold]\n'
            ),
        ),
    ),
    "response_error_swallowed": bug(
        "a script that fails passes for a Redis that is away",
        layer("test_inventory.py::test_a_poisoned_claim_fails_alone"),
        (
            "inventory/inventory.py",
            'raise EntryRejected(f"{name}.lua: {fault}") from fault',
            'raise StoreDown(f"{name}.lua: {fault}") from fault',
        ),
    ),
    "loaded_first": bug(
        "a sale is declared loaded before Redis knows what is sold",
        matrix("rebuild-dies-stores_keep-same_again"),
        (
            _SALES,
            "for want of knowledge.\n",
            "for want of knowledge.\n        await self._inventory.open(sale)\n",
        ),
    ),
    "rebuilt_without_the_sold": bug(
        "a sale is rebuilt as if nothing had been sold",
        matrix("rebuild-dies-stores_keep-same_again"),
        (
            _SALES,
            "knowledge.\n        facts = await self._ledger.sold_in_sale(sale.starts_at)",
            "knowledge.\n        facts: list[Sold] = []",
        ),
    ),
    "frozen_opener_waited_for": bug(
        "whoever stands still while opening a sale keeps everybody out",
        matrix("rebuild-freezes-stores_keep-another_buyer"),
        (
            _SALES,
            "                if mine or time.monotonic() > deadline:\n",
            (
                "                if not mine and time.monotonic() > deadline:\n"
                '                    raise StoreDown("somebody else is opening the sale")\n'
                "                if mine:\n"
            ),
        ),
    ),
    "never_healed": bug(
        "a Redis that lost its tail is never told what it forgot",
        matrix("reconcile-dies-stores_keep-same_again"),
        (_SALES, "if same_run and known >= sold:", "if True:"),
    ),
    "random_purchase_id": bug(
        "a purchase's id is made anew whenever its code is read",
        matrix("purchase-loses_reply-stores_keep-same_again"),
        (
            "codes.py",
            'digest = _digest(mac, b"purchase" + nonce)',
            "digest = os.urandom(8)",
        ),
    ),
    "batch_not_split": bug(
        "one poisoned entry fails its whole batch",
        layer("test_batching.py::test_the_neighbours_of_a_poisoned_entry_are_unharmed"),
        (
            "batching.py",
            "            if len(batch) == 1:\n                _settle(batch[0][1], fault)\n",
            (
                "            if batch:\n                for _, future in batch:\n"
                "                    _settle(future, fault)\n"
            ),
        ),
    ),
    "attempt_not_kept": bug(
        "a checkout is answered, and its attempt forgotten",
        matrix("checkout-dies-stores_keep-same_again"),
        (_SHOP, "        if not kept:\n", "        if kept:\n"),
    ),
    "attempt_dropped_without_postgresql": bug(
        "while PostgreSQL is away, attempts go nowhere",
        matrix("checkout_without_postgresql-dies-stores_keep-same_again"),
        (
            _ATTEMPTS,
            "            await self._inventory.attempts.append(attempt)\n",
            "            pass\n",
        ),
    ),
    "forgotten_before_the_insert": bug(
        "attempts leave the stream before they are in the ledger",
        matrix("persist_attempts-dies-stores_keep-same_again"),
        (
            _ATTEMPTS,
            "        outcomes = await asyncio.gather(\n",
            (
                "        await self._inventory.attempts.persisted(entries)\n"
                "        outcomes = await asyncio.gather(\n"
            ),
        ),
    ),
    "dead_consumer_kept": bug(
        "what a dead consumer had taken is never taken again",
        matrix("persist_attempts-dies-stores_keep-same_again"),
        ("inventory/stream.py", "        if orphans:\n", "        if not orphans and orphans:\n"),
    ),
    "bad_entry_blocks": bug(
        "a batch with an entry that is no attempt stays in the stream",
        matrix("persist_attempts-dies-stores_keep-same_again"),
        (
            _ATTEMPTS,
            "        await self._inventory.attempts.persisted(entries)\n",
            (
                "        if not all(outcomes):\n            return Persisted(0, 1)\n"
                "        await self._inventory.attempts.persisted(entries)\n"
            ),
        ),
    ),
}
