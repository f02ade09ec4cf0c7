"""Every function of the template, as it would be deployed: capped, watched, and moved with care."""

from typing import Any

import pytest

from tests.cloud.stack import ROOT, Resources, evaluated, of_type, read, strings, transformed

SHAPES = ("functions", "single")
ACCOUNT_CONCURRENCY, UNRESERVED_MIN = 1_000, 100  # AWS's quota, and what it wants left


@pytest.fixture(scope="module", params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def resources(shape: str) -> Resources:
    return evaluated(transformed(Shape=shape), Shape=shape)


@pytest.fixture(scope="module")
def functions(resources: Resources) -> dict[str, Any]:
    return of_type(resources, "AWS::Lambda::Function")


@pytest.fixture(scope="module")
def alarms() -> dict[str, Any]:
    found = evaluated(read(ROOT / "infra/alarms.yaml"), Name="shop")
    return {one["AlarmName"]: one for one in of_type(found, "AWS::CloudWatch::Alarm").values()}


def test_a_shape_has_its_functions_and_no_others(shape: str, functions: dict[str, Any]) -> None:
    always = {"create-sale", "reconcile", "persist-attempts", "audit", "migrate", "rotate-keys"}
    routed = {"checkout", "purchase", "stats", "health", "items", "picture", "storefront"}
    expected = always | ({"single"} if shape == "single" else routed | {"unrouted"})
    assert {one["FunctionName"] for one in functions.values()} == {f"shop-{n}" for n in expected}


def test_every_function_has_a_cap_and_all_fit_into_an_account(functions: dict[str, Any]) -> None:
    caps = [int(one["ReservedConcurrentExecutions"]) for one in functions.values()]
    assert min(caps) > 0
    assert sum(caps) <= ACCOUNT_CONCURRENCY - UNRESERVED_MIN


def test_every_function_runs_as_we_say(functions: dict[str, Any]) -> None:
    for name, one in functions.items():
        assert (one["Runtime"], one["Architectures"]) == ("python3.13", ["arm64"]), name
        assert one["TracingConfig"] == {"Mode": "Active"}, name
        assert one["LoggingConfig"]["LogGroup"] == "<Observability.Outputs.FunctionLogs>", name
        assert 1 <= one["Timeout"] <= 120, name
        assert 256 <= one["MemorySize"] <= 1_769, name


def test_every_function_has_a_role_of_its_own(functions: dict[str, Any]) -> None:
    roles = [one["Role"] for one in functions.values()]
    assert len(set(roles)) == len(roles)
    made = read(ROOT / "infra/roles.yaml")["Outputs"]
    assert {f"<Roles.Outputs.{name}>" for name in made} >= set(roles)


def test_every_function_has_an_alarm_of_its_errors(
    functions: dict[str, Any], alarms: dict[str, Any]
) -> None:
    for one in functions.values():
        alarm = alarms[f"{one['FunctionName']}-errors"]
        assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": one["FunctionName"]}]
        assert (alarm["MetricName"], alarm["Threshold"]) == ("Errors", 0)


def test_every_function_moves_by_canary_and_back_by_alarm(
    resources: Resources, functions: dict[str, Any]
) -> None:
    groups = of_type(resources, "AWS::CodeDeploy::DeploymentGroup")
    assert set(groups) == {f"{name}DeploymentGroup" for name in functions}
    for name, group in groups.items():
        assert group["ServiceRoleArn"] == "<Roles.Outputs.Deployment>"
        if name.startswith("Migrate"):  # invoked by the deployment itself, before all others
            continue
        (alarm,) = group["AlarmConfiguration"]["Alarms"]
        function = functions[name.removesuffix("DeploymentGroup")]["FunctionName"]
        assert alarm == {"Name": f"{function}-errors"}
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"


def test_migrations_come_first_and_again_whenever_the_layer_is_another(
    resources: Resources, functions: dict[str, Any]
) -> None:
    (migration,) = of_type(resources, "Custom::Migration").values()
    (layer,) = [n for n in of_type(resources, "AWS::Lambda::LayerVersion") if "Flashsale" in n]
    assert migration["Layer"] == f"<{layer}>"  # its name has the hash of its content
    for name in functions.keys() - {"MigrateFunction", "RotateKeysFunction"}:
        assert "Migration" in resources[name]["DependsOn"], name


def test_what_fails_on_schedule_is_kept(resources: Resources) -> None:
    schedules = of_type(resources, "AWS::Scheduler::Schedule")
    assert len(schedules) == 5
    queue = "<Observability.Outputs.DeadLettersArn>"
    for name, one in schedules.items():
        assert one["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] >= 60
        if name != "AuditSchedule":
            assert one["Target"]["DeadLetterConfig"] == {"Arn": queue}
    failures = of_type(resources, "AWS::Lambda::EventInvokeConfig")
    assert len(failures) == 4
    for config in failures.values():
        assert config["DestinationConfig"] == {"OnFailure": {"Destination": queue}}


def test_schedules_may_invoke_their_function_and_put_aside_what_fails(resources: Resources) -> None:
    """By roles that SAM makes."""
    made = of_type(resources, "AWS::IAM::Role")
    assert len(made) == 4
    for role in made.values():
        allowed = [s for p in role["Policies"] for s in p["PolicyDocument"]["Statement"]]
        actions = [one["Action"] for one in allowed]
        assert actions == ["lambda:InvokeFunction", "sqs:SendMessage"]
        invoked, queue = (one["Resource"] for one in allowed)
        assert invoked.endswith("Aliaslive>")
        assert queue == "<Observability.Outputs.DeadLettersArn>"


def test_snapstart_and_provisioned_concurrency_are_off_unless_asked_for() -> None:
    on = evaluated(transformed(SnapStart="on"), SnapStart="on")
    for one in of_type(on, "AWS::Lambda::Function").values():
        assert one["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    off = evaluated(transformed())
    assert "Warmup" not in off
    for one in of_type(off, "AWS::Lambda::Function").values():
        assert one["SnapStart"] == {"ApplyOn": "None"}
    warm = {"WarmCheckouts": "50", "WarmPurchases": "20"}
    stack = evaluated(transformed(**warm), **warm)["Warmup"]["Properties"]
    assert (stack["Parameters"]["Checkouts"], stack["Parameters"]["Purchases"]) == ("50", "20")


@pytest.mark.parametrize("mode", ["ledger", "stream"])
def test_checkout_knows_the_database_in_ledger_mode_only(mode: str) -> None:
    found = evaluated(transformed(AttemptsMode=mode), AttemptsMode=mode)
    functions = of_type(found, "AWS::Lambda::Function")
    checkout, purchase = functions["CheckoutFunction"], functions["PurchaseFunction"]
    asks = mode == "ledger"
    for variable in ("DB_HOST", "DB_PORT", "DB_SECRET"):
        assert (variable in checkout["Environment"]["Variables"]) == asks
        assert variable in purchase["Environment"]["Variables"]
    groups = checkout["VpcConfig"]["SecurityGroupIds"]
    assert ("<Network.Outputs.DatabaseClients>" in groups) == asks
    roles = found["Roles"]["Properties"]["Parameters"]
    assert roles["CheckoutAsksDatabase"] == str(asks).lower()


def test_stores_that_are_there_already_are_taken_as_they_are() -> None:
    given = {
        "Mode": "existing",
        "RedisAddr": "redis.example:6379",
        "DbHost": "db.example",
        "SubnetIds": "subnet-1",
        "SecurityGroupIds": "sg-1",
    }
    found = evaluated(transformed(**given), **given)
    assert not {"Network", "Data"} & found.keys()
    purchase = of_type(found, "AWS::Lambda::Function")["PurchaseFunction"]
    assert purchase["Environment"]["Variables"]["REDIS_ADDR"] == "redis.example:6379"
    assert purchase["Environment"]["Variables"]["DB_HOST"] == "db.example"
    assert purchase["VpcConfig"] == {"SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1"}
    assert not [value for value in strings(found) if "<Data." in value or "<Network." in value]
