"""Alarms and dashboard look at metrics that the code makes, and each alarm says what to do."""

import json
import re
from typing import Any

import pytest

from tests.cloud.stack import ROOT, evaluated, of_type, read, strings

LAYER = ROOT / "layers/flashsale/python/flashsale"


@pytest.fixture(scope="module")
def observability() -> Any:
    return evaluated(read(ROOT / "infra/observability.yaml"), Name="shop", BudgetUsd="100")


@pytest.fixture(scope="module")
def alarms() -> dict[str, Any]:
    return of_type(
        evaluated(read(ROOT / "infra/alarms.yaml"), Name="shop"), "AWS::CloudWatch::Alarm"
    )


@pytest.fixture(scope="module")
def made_by_code() -> set[str]:
    """Names of the metrics that the layer writes."""
    source = "".join(path.read_text() for path in LAYER.rglob("*.py"))
    return set(re.findall(r'metrics\(\)\.(?:count|level)\(\s*"(\w+)"', source))


@pytest.fixture(scope="module")
def made_of_logs(observability: Any) -> set[str]:
    filters = of_type(observability, "AWS::Logs::MetricFilter").values()
    return {f["MetricTransformations"][0]["MetricName"] for f in filters}


def test_every_alarm_looks_at_a_metric_that_there_is(
    alarms: dict[str, Any], made_by_code: set[str], made_of_logs: set[str]
) -> None:
    known = {"Flashsale": made_by_code, "Flashsale/shop": made_of_logs}
    known |= {
        "AWS/Lambda": {"Errors", "Throttles"},
        "AWS/SQS": {"ApproximateNumberOfMessagesVisible"},
    }
    for name, alarm in alarms.items():
        parts = [m["MetricStat"]["Metric"] for m in alarm.get("Metrics", ()) if "MetricStat" in m]
        for metric in parts or [alarm]:
            assert metric["MetricName"] in known[metric["Namespace"]], name


def test_every_alarm_tells_somebody_what_to_do(alarms: dict[str, Any]) -> None:
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == ["<Topic>"], name
        assert len(alarm["AlarmDescription"]) > 40, name


def test_what_wakes_somebody_is_all_there(alarms: dict[str, Any]) -> None:
    names = {alarm["AlarmName"] for alarm in alarms.values()}
    assert names >= {
        "shop-no-sale-open", "shop-audit-violation", "shop-purchase-faults", "shop-breaker-redis",
        "shop-breaker-postgresql", "shop-attempt-lag", "shop-purchase-throttles",
        "shop-stock-stuck", "shop-dead-letters",
    }  # fmt: skip


def test_silence_about_the_sale_is_an_alarm(alarms: dict[str, Any]) -> None:
    assert alarms["NoSaleOpen"]["TreatMissingData"] == "breaching"


def test_metrics_of_two_stacks_do_not_mix(alarms: dict[str, Any]) -> None:
    for alarm in alarms.values():
        if alarm.get("Namespace") == "Flashsale":
            assert {"Name": "service", "Value": "shop"} in alarm["Dimensions"]


def test_the_dashboard_shows_what_there_is(
    observability: Any, made_by_code: set[str], made_of_logs: set[str]
) -> None:
    (board,) = of_type(observability, "AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(board["DashboardBody"])["widgets"]
    shown = set()
    for widget in widgets:
        for metric in widget["properties"]["metrics"]:
            if isinstance(metric[0], dict):
                shown |= set(re.findall(r'MetricName="(\w+)"', metric[0]["expression"]))
            elif metric[0].startswith("Flashsale"):
                shown.add(metric[1])
    assert shown <= made_by_code | made_of_logs
    assert shown >= {"ItemsLeft", "ItemsSold", "Checkouts", "Purchases", "Latency", "BreakerOpen"}
    places = {(w["x"], w["y"]) for w in widgets}
    assert len(places) == len(widgets)


def test_logs_are_kept_for_a_time_and_encrypted(observability: Any) -> None:
    groups = of_type(observability, "AWS::Logs::LogGroup")
    assert len(groups) == 2
    for group in groups.values():
        assert group["RetentionInDays"]
        assert group["KmsKeyId"]


def test_filters_read_the_lines_that_the_code_writes(observability: Any) -> None:
    """The names in the patterns are those of the request's line and of the access log."""
    line = {"message", "route", "status", "outcome", "latency_ms"}
    for one in of_type(observability, "AWS::Logs::MetricFilter").values():
        named = set(re.findall(r"\$\.(\w+)", " ".join(strings(one))))
        assert named <= line
    source = (LAYER / "logs.py").read_text()
    assert all(f'"{name}"' in source for name in line)
