"""`flashsale cost`: a bill that adds up, and the documentation quotes."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from local.commands.cost import cost
from local.cost import STAGES, Crowd, hourly, of_sale
from local.cost.crowd import CHECKOUT, PURCHASE
from local.errors import LocalError

PAGE = Path(__file__).parents[2] / "docs/COST.md"


def usd(lines: list[object]) -> float:
    return sum(line.usd for line in lines)  # type: ignore[attr-defined]


def test_milliseconds_are_cpu_and_waits_and_billed_whole() -> None:
    stage = STAGES["prod"]
    assert stage.milliseconds(CHECKOUT) == 2  # 0.279 x 3.46 + 0.8
    assert stage.milliseconds(PURCHASE) == 10  # 0.704 x 3.46 + 1.6 + 5
    whole = dataclasses.replace(stage, memory_mb=1_769, redis_ms=0.5)
    assert whole.milliseconds(CHECKOUT) == 1
    huge = dataclasses.replace(whole, memory_mb=10_240)
    assert huge.milliseconds(CHECKOUT) == 1  # one thread has use for one vCPU


def test_every_request_is_billed_once() -> None:
    parts = Crowd().parts()
    assert sum(count for count, _ in parts.values()) == 10_000_000
    assert parts["purchase, sold"][0] == 10_000


@pytest.mark.parametrize(
    "wrong",
    [{"requests": 100}, {"sold": 10_001}, {"sold": 51_000, "purchases": 60_000}, {"sold": -1}],
)
def test_a_crowd_that_can_t_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"requests|sold"):
        Crowd(**wrong)


def test_twice_the_requests_cost_twice_as_much_but_for_what_stands_by() -> None:
    stage = dataclasses.replace(STAGES["prod"], warm=0)
    one = Crowd(buyers=1_000, requests=100_000, purchases=2_000, sold=1_000)
    two = Crowd(buyers=2_000, requests=200_000, purchases=4_000, sold=2_000)
    assert usd([*of_sale(two, stage)]) == pytest.approx(2 * usd([*of_sale(one, stage)]), rel=1e-6)
    assert hourly(stage) == hourly(STAGES["prod"])


def test_the_edge_costs_more() -> None:
    stage = STAGES["prod"]
    edge = dataclasses.replace(stage, edge=True)
    assert 15 < usd([*of_sale(Crowd(), edge)]) - usd([*of_sale(Crowd(), stage)]) < 17
    assert usd([*hourly(edge)]) > usd([*hourly(stage)])


def test_the_page_quotes_what_the_command_prints() -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = json.loads(CliRunner().invoke(cost, ["--json"], catch_exceptions=False).stdout)
    (total,) = re.findall(r"\*\*the sale\*\* \| \| \*\*([\d.]+)\*\*", page)
    assert float(total) == told["sale_usd"]
    for line in told["sale"]:
        if line["usd"] > 0.01:
            assert f"| {line['usd']:.2f} |" in page, line
    (hours,) = re.findall(r"\*\*an hour, USD\*\* \|(.*)", page)
    quoted = [float(number) for number in re.findall(r"[\d.]+", hours)]
    assert quoted == [round(usd([*hourly(STAGES[name])]), 2) for name in STAGES]


def test_it_prints_a_bill_and_refuses_what_can_t_be() -> None:
    printed = CliRunner().invoke(cost, ["--stage", "dev"], catch_exceptions=False).stdout
    assert "A sale: 10,000,000 requests of 100,000 buyers" in printed
    assert "An hour of what stands by (dev)" in printed
    with pytest.raises(LocalError, match="Such a crowd can't be"):
        CliRunner().invoke(cost, ["--requests", "1"], catch_exceptions=False)
