"""The arithmetic: percentiles, schedules, thresholds, growth."""

import json
from itertools import islice, pairwise

import pytest

from local.bench.address import Address
from local.bench.audit import bad_receipts, disagreements
from local.bench.figures import growth
from local.bench.histogram import bucket_of, count_of, histogram, merged, percentile
from local.bench.schedule import steady, surge
from local.bench.service import Stats
from local.bench.tally import Tally
from local.bench.threshold import Threshold
from local.bench.wish import BUYING, MIXED, Mix, wishes


def test_percentiles_are_nearest_ranks_within_half_a_percent() -> None:
    found = histogram()
    for number in range(1, 1001):
        found[bucket_of(number / 1000)] += 1
    for share in (0.001, 0.5, 0.9, 0.99, 1.0):
        assert percentile(found, share) == pytest.approx(share, rel=0.006)
    assert percentile(histogram(), 0.5) is None
    assert count_of(merged([found, found])) == 2000


def test_times_of_no_length_are_recorded_too() -> None:
    found = histogram()
    found[bucket_of(0.0)] += 1
    assert percentile(found, 1.0) == pytest.approx(1e-6, rel=0.01)


def test_a_steady_schedule_spaces_arrivals_evenly() -> None:
    times = list(steady(50, 2).times())
    assert len(times) == 100
    assert times[0] == 0
    assert {round(after - before, 9) for before, after in pairwise(times)} == {0.02}


def test_processes_take_turns_at_a_schedule_and_miss_nothing() -> None:
    schedule = surge(100, 5, 4)
    whole = list(schedule.times())
    shared = sorted(t for number in range(3) for t in schedule.times(first=number, step=3))
    assert shared == pytest.approx(whole)
    assert len(whole) == pytest.approx(schedule.arrivals, abs=1)


def test_a_surge_rises_to_its_top_and_falls_again() -> None:
    schedule = surge(100, 20, 60)
    assert schedule.seconds == pytest.approx(60)
    assert schedule.rate_max == pytest.approx(2000)
    times = list(schedule.times())
    assert times == sorted(times)

    def rate(begin: float, end: float) -> float:
        return sum(begin <= t < end for t in times) / (end - begin)

    assert rate(0, 1) == pytest.approx(10, rel=0.3)
    assert rate(27, 33) == pytest.approx(2000, rel=0.01)
    assert rate(59, 60) == pytest.approx(10, rel=0.3)


def test_a_latency_belongs_to_the_interval_of_its_answer() -> None:
    tally = Tally(interval_seconds=0.5, began=100.0, ended=101.5)
    tally.answered(("stats", 200, ""), 0.9, 101.2)
    tally.answered(("stats", 200, ""), 0.1, 100.2)
    assert [interval.outcomes.total() for interval in tally.intervals] == [1, 0, 1]
    other = Tally(interval_seconds=0.5, began=100.0, ended=101.0)
    other.answered(("stats", 200, ""), 0.2, 100.7)
    tally.add(other)
    assert [interval.outcomes.total() for interval in tally.intervals] == [1, 1, 1]
    assert [begins for begins, _, _ in tally.coarse(2)] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "measured", "holds"),
    [
        ("p99<100ms", 99.9, True),
        ("p99 < 0.1 s", 100.0, False),
        ("pairs_per_second>2000", 2000.0, False),
        ("errors==0", 0.0, True),
        ("goodput_kept>=50%", 0.5, True),
        ("checkout.p50<=900us", 0.9, True),
        ("gateway_growth<1GiB", 1023.0, True),
    ],
)
def test_a_threshold_compares_in_its_metrics_unit(text: str, measured: float, holds: bool) -> None:
    threshold = Threshold.parse(text)
    assert threshold.judge({threshold.metric: measured}) is holds
    assert threshold.judge({}) is None


@pytest.mark.parametrize(
    "nonsense", ["", "p99", "p98<1ms", "p99<1kg", "errors=0", "errors==1.2.3", "p99<ms", "p99<5%"]
)
def test_a_threshold_that_says_nothing_is_refused(nonsense: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Threshold.parse(nonsense)


def test_growth_is_from_the_second_fifth_to_the_last() -> None:
    warming = [0.0] * 20 + [50.0] * 20
    assert growth(warming + [50.0] * 60) == 0
    assert growth(warming + [float(50 + n) for n in range(60)]) > 30


def test_a_finite_mix_wants_every_item_once_over_all_processes() -> None:
    mix = Mix(BUYING, tuple(range(1, 101)), endless=False)
    address = Address.parse("http://x/base")
    parts = [list(wishes(mix.part(number, 3), address, crowd=f"c{number}")) for number in range(3)]
    assert sorted(wish.item for part in parts for wish in part) == list(range(1, 101))
    assert parts[0][0].request.startswith(b"POST /base/checkout?user_id=c0-")


def test_a_stock_that_is_spread_lasts_and_the_others_want_the_contested_items() -> None:
    mix = Mix(MIXED, tuple(range(1, 11)), contested=(77,), fresh=0.1)
    visits = wishes(mix, Address.parse("http://x"), crowd="c")
    bought = [wish.item for wish in islice(visits, 200) if wish.step == "checkout"]
    assert len(bought) == 100
    assert 90 <= bought.count(77) <= 91


def receipt(purchase_id: str) -> bytes:
    return json.dumps({"success": True, "purchase_id": purchase_id}).encode()


def test_the_audit_sees_double_sales_and_figures_that_disagree() -> None:
    assert bad_receipts([(1, receipt("a")), (2, receipt("b"))], one_sale=True) == []
    assert "came twice" in bad_receipts([(1, receipt("a")), (2, receipt("a"))], one_sale=True)[0]
    assert "sold twice" in bad_receipts([(1, receipt("a")), (1, receipt("b"))], one_sale=True)[0]
    assert bad_receipts([(1, receipt("a")), (1, receipt("b"))], one_sale=False) == []
    assert "answered 200" in bad_receipts([(1, b"{}")], one_sale=True)[0]

    tally = Tally()
    tally.bought(1, receipt("a"), 0.1, 0.0)
    before = Stats("s", 0, 10, 0, 10)
    assert disagreements(before, Stats("s", 0, 10, 1, 9), tally) == []
    assert "items_sold grew by 2" in disagreements(before, Stats("s", 0, 10, 2, 8), tally)[0]
    assert "current_inventory" in disagreements(before, Stats("s", 0, 10, 1, 8), tally)[0]
    tally.unheard = 1  # its purchase may have sold
    assert disagreements(before, Stats("s", 0, 10, 2, 8), tally) == []
