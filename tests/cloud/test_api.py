"""What the internet can reach: one API, throttled on every route, logged without a query."""

import json
import re
from typing import Any

import pytest

from tests.cloud.stack import ROOT, STACKS, Resources, evaluated, of_type, read, routes, transformed

SHAPES = ("functions", "single")


def found(shape: str) -> Resources:
    return evaluated(transformed(Shape=shape), Shape=shape)


@pytest.fixture(scope="module", params=SHAPES)
def resources(request: pytest.FixtureRequest) -> Resources:
    return found(request.param)


def test_both_shapes_have_the_same_routes() -> None:
    told = routes(found("functions")).keys()
    assert told == routes(found("single")).keys()
    assert told >= {"POST /checkout", "POST /purchase", "GET /stats", "GET /health", "$default"}


def test_every_route_has_a_throttle(resources: Resources) -> None:
    (stage,) = of_type(resources, "AWS::ApiGatewayV2::Stage").values()
    for settings in (stage["DefaultRouteSettings"], *stage["RouteSettings"].values()):
        assert int(settings["ThrottlingRateLimit"]) > 0
        assert int(settings["ThrottlingBurstLimit"]) > 0
    assert set(stage["RouteSettings"]) <= routes(resources).keys()


def test_access_logs_are_json_and_tell_neither_buyer_nor_code(resources: Resources) -> None:
    (stage,) = of_type(resources, "AWS::ApiGatewayV2::Stage").values()
    told = stage["AccessLogSettings"]
    assert told["DestinationArn"] == "<Observability.Outputs.AccessLogsArn>"
    variables = dict(re.findall(r'"(\w+)": "?\$context\.([\w.]+)', told["Format"]))
    line = re.sub(r"\$context\.[\w.]+", "200", told["Format"])
    assert set(json.loads(line)) == set(variables)
    assert not {"path", "queryString", "rawQueryString"} & set(variables.values())


def test_the_single_function_hands_every_route_to_the_function_that_has_it() -> None:
    from functions.single.app import FUNCTIONS, OTHERS

    resources = found("functions")
    functions = of_type(resources, "AWS::Lambda::Function")
    for key, operation in routes(resources).items():
        uri = operation["x-amazon-apigateway-integration"]["uri"]
        (name,) = [name for name in functions if f"<{name}Alias" in uri]
        folder = functions[name]["Code"]["S3Key"].removeprefix("functions/")
        assert FUNCTIONS.get(key, OTHERS) == folder, key


def test_api_gateway_may_invoke_by_the_alias_and_from_this_api_alone(resources: Resources) -> None:
    for name, one in of_type(resources, "AWS::Lambda::Permission").items():
        if one["Principal"] == "apigateway.amazonaws.com":
            assert "Alias" in one["FunctionName"], name
            assert "Api>" in one["SourceArn"], name
        else:
            assert one["Principal"] == "secretsmanager.amazonaws.com"
            assert one["SourceArn"] == "<Secrets.Outputs.CodeKeysSecret>"


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_nothing_else_is_public(path: Any) -> None:
    resources = evaluated(read(path), TwoZones="on", ReadReplica="on", RedisKind="elasticache")
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        assert resource["Type"] not in {
            "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route",
            "AWS::Lambda::Url", "AWS::S3::Bucket",
        }, name  # fmt: skip
        assert properties.get("PubliclyAccessible", False) is False, name
        assert properties.get("MapPublicIpOnLaunch", False) is False, name
        for rule in properties.get("SecurityGroupIngress", ()):
            assert rule["CidrIp"] != "0.0.0.0/0", name
        if resource["Type"] == "AWS::EC2::SecurityGroupIngress":
            assert "SourceSecurityGroupId" in properties, name


def test_the_stores_are_encrypted_at_rest_and_on_the_way() -> None:
    document = read(ROOT / "infra/data.yaml")
    for kind in ("elasticache", "memorydb"):
        resources = evaluated(document, RedisKind=kind, TwoZones="on", KeyArn="key")
        (cache,) = [
            *of_type(resources, "AWS::ElastiCache::ReplicationGroup").values(),
            *of_type(resources, "AWS::MemoryDB::Cluster").values(),
        ]
        assert cache.get("TransitEncryptionEnabled") or cache.get("TLSEnabled")
        assert cache["KmsKeyId"] == "key"
        (database,) = of_type(resources, "AWS::RDS::DBInstance").values()
        assert (database["StorageEncrypted"], database["KmsKeyId"]) == (True, "key")
        assert database["MultiAZ"] is True
        (proxy,) = of_type(resources, "AWS::RDS::DBProxy").values()
        assert proxy["RequireTLS"] is True
