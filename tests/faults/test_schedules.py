"""A fixed set of random schedules breaks no promise; schedule/test_judge.py judges the judge."""

import pytest

from tests.faults.schedule.faults import FAULTS
from tests.faults.schedule.many import run_seeds
from tests.faults.schedule.plan import KINDS, Plan
from tests.faults.schedule.report import bad_run
from tests.faults.schedule.run import Result

SEEDS = range(1, 26)


@pytest.fixture(scope="module")
def results() -> dict[int, Result]:
    """Every seed's result: two processes work, each on stores of its own."""
    return {result.seed: result for result in run_seeds(SEEDS, workers=2)}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_schedule_breaks_no_promise(results: dict[int, Result], seed: int) -> None:
    result = results[seed]
    assert not result.violations, bad_run(result)
    assert result.calls["acked"] > Plan.of(seed).items, "the crowd bought next to nothing"


def test_these_schedules_draw_every_kind_of_fault_or_nearly() -> None:
    drawn = {strike.kind for seed in SEEDS for strike in Plan.of(seed).strikes}
    assert len(KINDS.keys() - drawn) <= 3
    assert any(Plan.of(seed).quiet for seed in SEEDS)
    assert FAULTS.keys() == KINDS.keys()


def test_a_seed_always_stands_for_the_same_plan() -> None:
    assert Plan.of(4711) == Plan.of(4711) != Plan.of(4712)
