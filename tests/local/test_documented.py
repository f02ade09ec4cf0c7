"""The event that AWS's documentation shows, made again by the request that would have made it.

"Create AWS Lambda proxy integrations for HTTP APIs" has one example of payload format 2.0, with
every field at once. Three of them no request can bring about here: a client certificate (there is
no TLS), a Lambda authorizer's context (none is emulated), and path parameters of the $default
route, which has none in AWS either.
"""

import calendar
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CODE_KEYS
from tests.layer.runtime import Lambda
from tests.local.conftest import Add, serving
from tests.local.issuer import AUDIENCE, Issuer

DOCUMENTED: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/my/path",
    "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
    "cookies": ["cookie1", "cookie2"],
    "headers": {"header1": "value1", "header2": "value1,value2"},
    "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "api-id",
        "authentication": {
            "clientCert": {
                "clientCertPem": "CERT_CONTENT",
                "subjectDN": "www.example.com",
                "issuerDN": "Example issuer",
                "serialNumber": "a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1",
                "validity": {
                    "notBefore": "May 28 12:30:02 2019 GMT",
                    "notAfter": "Aug  5 09:36:04 2021 GMT",
                },
            }
        },
        "authorizer": {
            "jwt": {
                "claims": {"claim1": "value1", "claim2": "value2"},
                "scopes": ["scope1", "scope2"],
            },
            "lambda": {"exampleKey1": "exampleValue1", "exampleKey2": "exampleValue2"},
        },
        "domainName": "id.execute-api.us-east-1.amazonaws.com",
        "domainPrefix": "id",
        "http": {
            "method": "POST",
            "path": "/my/path",
            "protocol": "HTTP/1.1",
            "sourceIp": "IP",
            "userAgent": "agent",
        },
        "requestId": "id",
        "routeKey": "$default",
        "stage": "$default",
        "time": "12/Mar/2020:19:03:58 +0000",
        "timeEpoch": 1583348638390,
    },
    "body": "Hello from Lambda",
    "pathParameters": {"parameter1": "value1"},
    "isBase64Encoded": False,
    "stageVariables": {"stageVariable1": "value1", "stageVariable2": "value2"},
}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


async def test_the_request_that_would_have_made_it_makes_the_documented_event(
    add: Add, tmp_path: Path, issuer: Issuer
) -> None:
    """Field by field, and no field more."""
    jwt = {"issuer": issuer.url, "audience": [AUDIENCE]}
    source = "$request.header.Authorization"
    authorizer = {"IdentitySource": source, "JwtConfiguration": jwt}
    auth = {"DefaultAuthorizer": "Tokens", "Authorizers": {"Tokens": authorizer}}
    api = {"Auth": auth, "StageVariables": DOCUMENTED["stageVariables"]}
    event = {"Auth": {"AuthorizationScopes": ["scope1", "scope2"]}}
    code = "def handler(event, context):\n    return event\n"
    add("All", "$default", code=code, api=api, event=event)
    claims: dict[str, Any] = {"claim1": "value1", "claim2": "value2", "scope": "scope1 scope2"}
    own = {
        "host": "id.execute-api.us-east-1.amazonaws.com",
        "user-agent": "agent",
        "authorization": issuer.token(**claims),
        "content-type": "text/plain",
        "content-length": "17",
    }
    sent = [*own.items(), ("Cookie", "cookie1; cookie2")]
    sent += [("Header1", "value1"), ("Header2", "value1"), ("header2", "value2")]
    async with serving(tmp_path) as client:
        client.headers.clear()
        made = (
            await client.post(
                f"/my/path?{DOCUMENTED['rawQueryString']}",
                content="Hello from Lambda",
                headers=sent,
            )
        ).json()

    context, documented = made.pop("requestContext"), dict(DOCUMENTED["requestContext"])
    headers = {**DOCUMENTED["headers"], **own}
    for name in ("x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"):
        del made["headers"][name]  # which the example leaves out
    given = {name: value for name, value in DOCUMENTED.items() if name != "requestContext"}
    del given["pathParameters"]
    assert made == {**given, "headers": headers}

    assert context["authorizer"].keys() == {"jwt"}
    jwt_shown, jwt_documented = context["authorizer"]["jwt"], documented["authorizer"]["jwt"]
    assert jwt_shown.keys() == jwt_documented.keys()
    assert jwt_shown["claims"].items() >= jwt_documented["claims"].items()
    assert jwt_shown["scopes"] == jwt_documented["scopes"]

    assert context.keys() == documented.keys() - {"authentication"}
    assert context["http"] == {**documented["http"], "sourceIp": "127.0.0.1"}
    for field in ("domainName", "domainPrefix", "routeKey", "stage"):
        assert context[field] == documented[field]
    for field in ("accountId", "apiId", "requestId"):
        assert re.fullmatch(r"[\w-]+", context[field])
    told = calendar.timegm(time.strptime(context["time"], "%d/%b/%Y:%H:%M:%S +0000"))
    assert told == context["timeEpoch"] // 1_000


def test_our_functions_take_the_documented_event(tmp_path: Path) -> None:
    """As it stands, with every field that there can be: one that serves any path answers it, and
    one of a path of its own refuses what it does not know."""
    environment = {"CODE_KEYS": CODE_KEYS, "ROUTES": "POST /checkout"}
    made = Lambda(environment, tmp_path / "log")
    try:
        replies = [made.invoke(name, DOCUMENTED)["result"] for name in ("unrouted", "checkout")]
    finally:
        made.end()
    told = [(reply["statusCode"], json.loads(reply["body"])["error"]) for reply in replies]
    assert told == [(404, "not_found"), (400, "malformed")]
