"""The template with its token lines in: the two routes that sell want a token, and no other."""

from pathlib import Path

import pytest

from tests.cloud.stack import TEMPLATE, evaluated, of_type, transformed
from tests.with_tokens import AUDIENCE, ISSUER, with_tokens

SELLING = {("/checkout", "post"), ("/purchase", "post")}


@pytest.mark.parametrize("shape", ["functions", "single"])
def test_selling_wants_a_token_of_the_issuer(tmp_path: Path, shape: str) -> None:
    template = with_tokens(tmp_path)
    resources = evaluated(transformed(template, Shape=shape), Shape=shape)
    (api,) = of_type(resources, "AWS::ApiGatewayV2::Api").values()
    guarded = {
        (path, method)
        for path, methods in api["Body"]["paths"].items()
        for method, operation in methods.items()
        if operation.get("security") == [{"BuyerToken": []}]
    }
    assert guarded == SELLING
    (scheme,) = api["Body"]["components"]["securitySchemes"].values()
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    assert authorizer["type"] == "jwt"
    assert authorizer["jwtConfiguration"] == {"issuer": ISSUER, "audience": [AUDIENCE]}
    for function in of_type(resources, "AWS::Lambda::Function").values():
        assert function["Environment"]["Variables"]["AUTH"] == "jwt"


def test_as_it_lies_it_takes_buyers_by_their_word() -> None:
    resources = evaluated(transformed(TEMPLATE))
    (api,) = of_type(resources, "AWS::ApiGatewayV2::Api").values()
    assert "components" not in api["Body"]
    for function in of_type(resources, "AWS::Lambda::Function").values():
        assert "AUTH" not in function["Environment"]["Variables"]
