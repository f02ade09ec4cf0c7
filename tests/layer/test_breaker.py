"""A breaker's three states, by a clock of the test's own."""

import pytest
from flashsale.breaker import Breaker
from flashsale.errors import StoreDown


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("Redis", failures_max=3, open_seconds=1.0, clock=clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.check()
        breaker.failed()


def test_single_failures_between_successes_never_open_it(breaker: Breaker) -> None:
    for _ in range(10):
        fail(breaker, 2)
        breaker.succeeded()
    assert breaker.state == "closed"


def test_failures_in_a_row_open_it_and_calls_are_refused_at_once(breaker: Breaker) -> None:
    fail(breaker, 3)
    assert breaker.state == "open"
    with pytest.raises(StoreDown, match="Redis has been failing"):
        breaker.check()


def test_after_a_while_one_call_tries_and_the_others_are_still_refused(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now = 1.0
    assert breaker.state == "half-open"
    breaker.check()
    with pytest.raises(StoreDown):
        breaker.check()


def test_a_trial_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now = 1.0
    breaker.check()
    breaker.succeeded()
    assert breaker.state == "closed"
    breaker.check()


def test_a_trial_that_fails_keeps_it_open_for_another_while(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now = 1.0
    fail(breaker, 1)
    assert breaker.state == "open"
    clock.now = 2.0
    assert breaker.state == "half-open"


def test_a_trial_that_never_comes_back_does_not_block_the_next(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now = 1.0
    breaker.check()
    clock.now = 2.0
    breaker.check()
