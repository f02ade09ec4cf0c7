"""samconfig.toml asks for what the template has, and the workflows deploy it without keys."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.cost import STAGES
from tests.cloud.stack import ROOT, evaluated, read, transformed

WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
NAMES = {"default": "dev", "staging": "staging", "prod": "prod"}


def overrides(stage: str) -> dict[str, str]:
    text = CONFIG[stage]["deploy"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in text.split())


def test_there_are_three_stages() -> None:
    assert CONFIG.keys() - {"version"} == NAMES.keys()
    stacks = [CONFIG[stage]["global"]["parameters"]["stack_name"] for stage in NAMES]
    assert len(set(stacks)) == 3


@pytest.mark.parametrize("stage", NAMES)
def test_a_stage_sets_parameters_that_there_are_to_what_they_may_be(stage: str) -> None:
    parameters = read(ROOT / "template.yaml")["Parameters"]
    for name, value in overrides(stage).items():
        rules = parameters[name]
        assert value in map(str, rules.get("AllowedValues", [value])), name
        assert re.fullmatch(rules.get("AllowedPattern", ".*"), value), name
        if rules["Type"] == "Number":
            assert int(value) >= rules.get("MinValue", 0), name
    assert evaluated(transformed(**overrides(stage)), **overrides(stage))


@pytest.mark.parametrize("stage", NAMES)
def test_a_stage_costs_what_the_model_says_stands_by(stage: str) -> None:
    parameters = read(ROOT / "template.yaml")["Parameters"]
    has = {
        **{name: str(one.get("Default")) for name, one in parameters.items()},
        **overrides(stage),
    }
    told = STAGES[NAMES[stage]]
    assert told.redis_node == has["RedisNodeType"]
    assert told.db_instance == has["DbInstanceClass"]
    assert told.storage_gb == int(has["DbStorageGb"])
    assert told.zones == (2 if has["TwoZones"] == "on" else 1)
    assert told.warm == int(has["WarmCheckouts"]) + int(has["WarmPurchases"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_keeps_no_key(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"]["contents"] == "read"
    assert "secrets." not in text
    assert "pull_request_target" not in text
    for job in workflow["jobs"].values():
        assert "uses" in job or job["timeout-minutes"] <= 90


def test_every_push_runs_the_same_as_we_do_on_both_pythons() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())["jobs"]
    assert jobs["check"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert {"run": ".ci/run"} in jobs["check"]["steps"]
    assert {"run": "make test-cloud"} in jobs["cloud"]["steps"]
