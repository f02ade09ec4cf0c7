"""Who may do what: each role read, statement by statement."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.cloud.stack import ROOT, evaluated, of_type, read

BASE = {
    "Name": "shop",
    "LogGroupArn": "arn:logs:*",  # as CloudFormation gives it: the group's own streams
    "DeadLettersArn": "arn:queue",
    "KeyArn": "arn:key",
    "DbSecret": "arn:db",
    "RedisSecret": "arn:redis",
    "CodeKeysSecret": "arn:codes",
    "IsInNetwork": "true",
    "CheckoutAsksDatabase": "true",
}
# What AWS's own model gives no narrower resource.
ANYWHERE = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
SECRETS = {
    "Checkout": {"arn:redis", "arn:db", "arn:codes"},
    "Purchase": {"arn:redis", "arn:db", "arn:codes"},
    "Single": {"arn:redis", "arn:db", "arn:codes"},
    "Stats": {"arn:redis", "arn:db"},
    "Health": {"arn:redis", "arn:db"},
    "Items": {"arn:redis", "arn:db"},
    "Storefront": {"arn:redis", "arn:db"},
    "CreateSale": {"arn:redis", "arn:db"},
    "Reconcile": {"arn:redis", "arn:db"},
    "PersistAttempts": {"arn:redis", "arn:db"},
    "Audit": {"arn:redis", "arn:db"},
    "Migrate": {"arn:db"},
    "RotateKeys": {"arn:codes"},
    "Picture": set(),
    "Unrouted": set(),
}
NOT_FUNCTIONS = {"Deployment", "Scheduler"}

Statements = list[Mapping[str, Any]]


def statements(**others: str) -> dict[str, Statements]:
    """What each role may do, by its own policies and those that it has in common with others."""
    resources = evaluated(read(ROOT / "infra/roles.yaml"), **{**BASE, **others})
    shared = {
        f"<{name}>": policy["PolicyDocument"]["Statement"]
        for name, policy in of_type(resources, "AWS::IAM::ManagedPolicy").items()
    }
    return {
        name: [
            *(s for arn in role.get("ManagedPolicyArns", ()) for s in shared[arn]),
            *(s for own in role.get("Policies", ()) for s in own["PolicyDocument"]["Statement"]),
        ]
        for name, role in of_type(resources, "AWS::IAM::Role").items()
    }


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def secrets_of(allowed: Statements) -> set[str]:
    return {
        resource
        for one in allowed
        if "secretsmanager:GetSecretValue" in listed(one["Action"])
        for resource in listed(one["Resource"])
    }


def test_each_function_reads_the_secrets_that_its_work_needs() -> None:
    found = statements()
    assert found.keys() - NOT_FUNCTIONS == SECRETS.keys()
    assert {name: secrets_of(found[name]) for name in SECRETS} == SECRETS


def test_in_stream_mode_checkout_reads_no_database_secret() -> None:
    assert secrets_of(statements(CheckoutAsksDatabase="false")["Checkout"]) == {
        "arn:redis",
        "arn:codes",
    }


@pytest.mark.parametrize("name", [*SECRETS, *sorted(NOT_FUNCTIONS)])
def test_no_role_has_a_wildcard(name: str) -> None:
    for one in statements()[name]:
        if one["Effect"] == "Deny":
            continue
        actions = listed(one["Action"])
        assert not [action for action in actions if "*" in action]
        for resource in listed(one["Resource"]):
            if resource == "*":
                assert set(actions) <= ANYWHERE
            else:
                # The stack's own functions and alarms, or the streams of its own log group.
                assert "*" not in resource.removesuffix("shop-*").removesuffix(":*"), resource


def test_only_what_is_in_the_network_may_be_put_there_and_its_code_may_not() -> None:
    for name, allowed in statements().items():
        network = [one for one in allowed if "ec2:CreateNetworkInterface" in listed(one["Action"])]
        assert bool(network) == (name in SECRETS.keys() - {"Picture", "Unrouted", "RotateKeys"})
        if network:
            (denied,) = [one for one in allowed if one["Effect"] == "Deny"]
            assert denied["Action"] == "ec2:*"
            assert "lambda:SourceFunctionArn" in denied["Condition"]["ArnLike"]
    outside = statements(IsInNetwork="false").values()
    assert "ec2" not in str(outside)


def test_the_key_opens_secrets_and_nothing_else() -> None:
    for allowed in statements().values():
        for one in allowed:
            if any(action.startswith("kms:") for action in listed(one["Action"])):
                via = one["Condition"]["StringEquals"]["kms:ViaService"]
                assert via == "secretsmanager.eu-central-1.amazonaws.com"


@pytest.mark.parametrize("path", sorted((ROOT / "infra").glob("*.yaml")), ids=lambda p: p.stem)
def test_who_may_take_a_role_is_a_service_and_of_this_account(path: Any) -> None:
    """Lambda has no such condition: it is told the role of each function by us."""
    for name, role in of_type(evaluated(read(path)), "AWS::IAM::Role").items():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert set(trust["Principal"]) == {"Service"}
        if trust["Principal"]["Service"] != "lambda.amazonaws.com":
            assert "aws:SourceAccount" in trust["Condition"]["StringEquals"], name
