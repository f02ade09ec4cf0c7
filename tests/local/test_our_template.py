"""template.yaml is the only list of functions, routes and schedules: nothing beside it drifts."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from flashsale.config import Settings
from flashsale.errors import MethodNotAllowed, NotFound
from flashsale.routes import unrouted

from local.functions import load_functions
from local.serve import TEMPLATE
from local.template import DEFAULT_ROUTE, Template

ROOT = TEMPLATE.parent
LINES_MAX = 40


class Untagged(yaml.SafeLoader):
    """Reads CloudFormation's tags as nothing."""


yaml.add_multi_constructor("!", lambda loader, suffix, node: None, Loader=Untagged)


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.read(TEMPLATE)


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    document = yaml.load(TEMPLATE.read_text(), Loader=Untagged)  # noqa: S506 - a safe loader
    found: dict[str, Any] = document["Resources"]
    return found


def test_cloudformation_would_take_it() -> None:
    """cfn-lint knows CloudFormation's and SAM's schemas; a warning counts, too."""
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([lint, TEMPLATE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_unrouted_function_knows_exactly_the_routes_that_there_are(template: Template) -> None:
    routes = [route.key for function in template.functions for route in function.routes]
    told = [route.strip() for route in template.environment["ROUTES"].split(",")]
    assert sorted(told) == sorted(set(routes) - {DEFAULT_ROUTE})


def test_every_route_is_one_that_the_unrouted_function_can_tell_of(template: Template) -> None:
    """With another method: 405 and the right one. Its language has no greedy parameters."""
    routes = template.environment["ROUTES"]
    for route in [route for function in template.functions for route in function.routes]:
        if route.path == DEFAULT_ROUTE:
            continue
        answer = unrouted(routes, re.sub(r"\{\w+\}", "7", route.path))
        assert isinstance(answer, MethodNotAllowed)
        assert route.method in answer.allow.split(", ")
    for path in ("//", "/items/7/image/", "/items/", "/checkout\n", "/items//image", "/CHECKOUT"):
        assert type(unrouted(routes, path)) is NotFound


def test_every_function_is_one_short_file_in_a_folder_of_its_own(template: Template) -> None:
    in_template = {function.folder for function in template.functions}
    in_template.add(ROOT / "functions/single")  # of Shape single, which is not the default
    assert in_template == {file.parent for file in ROOT.glob("functions/*/app.py")}
    for folder in in_template:
        assert [path.name for path in folder.iterdir() if path.name != "__pycache__"] == ["app.py"]
        assert len((folder / "app.py").read_text().splitlines()) < LINES_MAX


def test_every_function_loads(template: Template) -> None:
    loaded = load_functions(template)
    assert [function.spec for function in loaded] == list(template.functions)


def test_every_schedule_says_how_often_it_is_retried(resources: dict[str, Any]) -> None:
    schedules = {
        (name, event_name): event["Properties"]
        for name, resource in resources.items()
        for event_name, event in resource["Properties"].get("Events", {}).items()
        if event["Type"] in ("Schedule", "ScheduleV2")
    }
    assert {name for name, _ in schedules} >= {"CreateSaleFunction", "ReconcileFunction"}
    for properties in schedules.values():
        retry = properties["RetryPolicy"]
        assert 0 <= retry["MaximumRetryAttempts"] <= 10
        assert 60 <= retry["MaximumEventAgeInSeconds"] <= 3_600


def test_a_sale_is_an_hour_of_ten_thousand_items(template: Template) -> None:
    settings = Settings.read(template.environment)
    assert (settings.sale_seconds, settings.items_per_sale) == (3_600, 10_000)
    assert settings.code_seconds == 15 * 60


def test_every_variable_is_a_setting(template: Template) -> None:
    """A misspelt one would be set in vain; the rest is Powertools' own."""
    known = {name.upper() for name in Settings.__dataclass_fields__}
    assert {name for name in template.environment if not name.startswith("POWERTOOLS_")} <= known


def test_no_request_outlives_the_gateways_own_limit(template: Template) -> None:
    """API Gateway hangs up after 30 seconds, whatever the function's timeout."""
    assert all(f.timeout_seconds < 30 for f in template.functions if f.routes)
