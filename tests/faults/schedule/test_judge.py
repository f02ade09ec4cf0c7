"""The judge of histories judged: one without fault, and the same with one thing wrong."""

import copy
import dataclasses
from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.schedule.history import Call, Evidence, Row, View, Window
from tests.faults.schedule.plan import KINDS
from tests.faults.schedule.promises import PROMISES, judge
from tests.faults.schedule.report import table
from tests.faults.schedule.run import Result

Plant = Callable[[Evidence], None]


def nonce(number: int) -> str:
    return f"{number:032x}"


def good() -> Evidence:
    """Two items: ann bought 1 after a retry, bob heard that it was gone and bought 2."""

    def bought(number: int, item: int, buyer: str) -> Call:
        return Call("purchase", buyer, item, nonce(number), "ok", f"purchase_{number}", 10, 11)

    sold = {1: ("sold", nonce(1), "ann"), 2: ("sold", nonce(3), "bob")}
    counts = {"ann": (0, 1), "bob": (0, 1)}
    return Evidence(
        items=2,
        quiet=False,
        attempts_mode="ledger",
        calls=[
            Call("checkout", "ann", 1, nonce(1), "ok", began=1, ended=2),
            Call("checkout", "bob", 1, nonce(2), "ok", began=1, ended=2),
            Call("purchase", "ann", 1, nonce(1), "outcome_unknown", began=3, ended=4),
            bought(1, 1, "ann"),
            Call("purchase", "bob", 1, nonce(2), "sold_out", began=12, ended=13),
            Call("checkout", "bob", 1, "", "sold_out", began=14, ended=15),
            Call("checkout", "bob", 2, nonce(3), "ok", began=14, ended=15),
            bought(3, 2, "bob"),
            Call("purchase", "bob", 2, nonce(3), "crashed", began=14, ended=15),
        ],
        rows=[
            Row(nonce(1), "sold", 1, "ann", "purchase_1"),
            Row(nonce(3), "sold", 2, "bob", "purchase_3"),
            Row(nonce(4), "void", 2, "ann", None),
        ],
        views=[View(dict(sold), dict(sold), dict(counts), dict(counts))],
        attempts=Counter(
            [("ann", 1, "available"), ("bob", 1, "sold_out"), ("bob", 1, "available")]
        ),
        attempt_nonces={nonce(1), nonce(2), nonce(3)},
    )


def plant_lost(evidence: Evidence) -> None:
    evidence.rows[0] = dataclasses.replace(evidence.rows[0], state="void")


def plant_sold_to_somebody_else(evidence: Evidence) -> None:
    evidence.rows[0] = dataclasses.replace(evidence.rows[0], buyer="eve")


def plant_no_but_sold(evidence: Evidence) -> None:
    evidence.calls[2].outcome = "code_expired"


def plant_sold_twice(evidence: Evidence) -> None:
    evidence.rows.append(Row(nonce(2), "sold", 1, "bob", "purchase_2"))


def plant_sold_twice_says_the_client(evidence: Evidence) -> None:
    evidence.calls[4].outcome = "ok"


def plant_over_ten(evidence: Evidence) -> None:
    evidence.rows += [
        Row(nonce(100 + item), "sold", item, "ann", f"p{item}") for item in range(10, 20)
    ]


def plant_two_ids(evidence: Evidence) -> None:
    evidence.calls.append(dataclasses.replace(evidence.calls[3], purchase_id="purchase_9"))


def plant_unsold(evidence: Evidence) -> None:
    evidence.unsold.append(2)


def plant_undersold(evidence: Evidence) -> None:
    del evidence.rows[1]


def plant_phantom(evidence: Evidence) -> None:
    del evidence.views[0].redis_claims[2]


def plant_claim_left(evidence: Evidence) -> None:
    evidence.views[0].redis_claims[3] = ("held", nonce(4), "ann")


def plant_wrong_count(evidence: Evidence) -> None:
    evidence.views[0].redis_buyers["ann"] = (1, 1)


def plant_sold_out_of_nothing(evidence: Evidence) -> None:
    evidence.calls.append(Call("checkout", "ann", 5, "", "sold_out"))
    evidence.attempts["ann", 5, "sold_out"] += 1


def plant_limit_at_one(evidence: Evidence) -> None:
    evidence.calls.append(Call("purchase", "ann", 2, nonce(9), "limit_exceeded"))


def plant_expired_unfenced(evidence: Evidence) -> None:
    evidence.calls.append(Call("purchase", "ann", 2, nonce(9), "code_expired"))


def plant_attempt_lost(evidence: Evidence) -> None:
    evidence.attempt_nonces.remove(nonce(2))


def plant_refused_attempt_lost(evidence: Evidence) -> None:
    evidence.attempts["bob", 1, "sold_out"] = 0


def plant_attempt_lost_after_the_loss(evidence: Evidence) -> None:
    """It was in the stream, but Redis lost only what came before."""
    evidence.attempts_mode = "stream"
    evidence.redis_losses.append(Window(0, 0.5))
    evidence.attempt_nonces.remove(nonce(2))


def plant_attempts_left(evidence: Evidence) -> None:
    evidence.attempts_left = 1


def plant_degraded(evidence: Evidence) -> None:
    evidence.quiet, evidence.degraded = True, 1


def plant_unsettled(evidence: Evidence) -> None:
    evidence.unsettled.append("a claim is still held")


def plant_endless_key(evidence: Evidence) -> None:
    evidence.endless_keys.append("flash:{0}:sale")


def plant_error(evidence: Evidence) -> None:
    evidence.calls[2].outcome = "error: ResponseError: WRONGTYPE"


def plant_silence(evidence: Evidence) -> None:
    evidence.calls[2].ended = 60


PLANTED: list[tuple[Plant, str]] = [
    (plant_lost, "acknowledged and lost"),
    (plant_sold_to_somebody_else, "acknowledged and lost"),
    (plant_no_but_sold, "told no for good but sold"),
    (plant_sold_twice, "sold twice"),
    (plant_sold_twice_says_the_client, "sold twice"),
    (plant_over_ten, "over ten"),
    (plant_two_ids, "two ids for one code"),
    (plant_unsold, "undersold"),
    (plant_undersold, "undersold"),
    (plant_phantom, "Redis differs from the ledger"),
    (plant_claim_left, "Redis differs from the ledger"),
    (plant_wrong_count, "Redis differs from the ledger"),
    (plant_sold_out_of_nothing, "refused without reason"),
    (plant_limit_at_one, "refused without reason"),
    (plant_expired_unfenced, "refused without reason"),
    (plant_attempt_lost, "attempt lost"),
    (plant_refused_attempt_lost, "attempt lost"),
    (plant_attempt_lost_after_the_loss, "attempt lost"),
    (plant_attempts_left, "attempt lost"),
    (plant_degraded, "degraded without a fault"),
    (plant_unsettled, "not settled"),
    (plant_endless_key, "not settled"),
    (plant_error, "error or no answer"),
    (plant_silence, "error or no answer"),
]


def test_a_good_history_passes() -> None:
    assert judge(good()) == []


@pytest.mark.parametrize(("plant", "kind"), PLANTED)
def test_what_is_planted_in_a_good_history_is_found(plant: Plant, kind: str) -> None:
    evidence = copy.deepcopy(good())
    plant(evidence)
    assert kind in {violation.kind for violation in judge(evidence)}


def test_every_promise_has_something_planted_against_it() -> None:
    assert {kind for _, kind in PLANTED} == PROMISES.keys()


def test_an_attempt_may_be_lost_with_the_stream_it_was_in() -> None:
    evidence = good()
    plant_attempt_lost(evidence)
    evidence.redis_losses.append(Window(0, 5))
    assert judge(evidence), "in ledger mode PostgreSQL had it"
    evidence.ledger_troubles.append(Window(0, 5))
    assert judge(evidence) == []
    evidence.ledger_troubles.clear()
    evidence.attempts_mode = "stream"
    assert judge(evidence) == []


def test_the_table_names_every_violation_and_counts_them() -> None:
    evidence = good()
    plant_sold_twice(evidence)
    found = judge(evidence)
    told = table([Result(1, violations=found), Result(2)], seconds=3)
    assert all(kind in told for kind in (*PROMISES, *KINDS))
    assert f"VIOLATIONS{len(found):>33}" in told
