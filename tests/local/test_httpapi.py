"""What a template may ask of API Gateway, as SAM spells it, and what is refused in one sentence."""

from pathlib import Path

import pytest

from local.cors import Cors
from local.httpapi import Guard, HttpApi, JwtAuthorizer
from local.template import Template, TemplateError
from local.throttle import Throttle

HEAD = """
Parameters:
  Rate: {Type: Number, Default: 5}
  Stage: {Type: String, Default: test}
  Issuer: {Type: String, Default: "https://issuer.example"}
  Later: {Type: String}
Conditions:
  Throttled: !Equals [!Ref Stage, test]
  Elsewhere: !Not [!Condition Throttled]
  Unknown: !Equals [!Ref Later, x]
"""
TOKENS = (
    "{JwtConfiguration: {Issuer: !Ref Issuer, audience: [a, b]}, AuthorizationScopes: [read],"
    " IdentitySource: $request.header.X-Token}"
)


@pytest.fixture
def read(tmp_path: Path) -> "Reader":
    return Reader(tmp_path)


class Reader:
    """Reads a template with one HTTP API and one function with two routes."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "template.yaml"

    def __call__(
        self, api: str = "", *, event: str = "", api_globals: str = "", more: str = ""
    ) -> Template:
        lines = [
            HEAD,
            f"Globals: {{HttpApi: {{{api_globals}}}}}",
            "Resources:",
            f"  Api: {{Type: AWS::Serverless::HttpApi, Properties: {{{api}}}}}",
            "  One:",
            "    Type: AWS::Serverless::Function",
            "    Properties:",
            "      CodeUri: one",
            "      Handler: app.handler",
            "      Events:",
            "        A: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: get, Path: /a}}",
            "        B:",
            "          Type: HttpApi",
            f"          Properties: {{ApiId: !Ref Api, Method: POST, Path: /b, {event}}}",
            more,
        ]
        self._file.write_text("\n".join(lines))
        return Template.read(self._file)

    def guards(self, api: str = "", *, event: str = "", api_globals: str = "") -> list[Guard]:
        (one,) = self(api, event=event, api_globals=api_globals).functions
        return [route.guard for route in one.routes]


def test_a_bare_api_asks_for_nothing(read: Reader) -> None:
    assert read().api == HttpApi()
    assert read.guards("FailOnWarnings: true, Tags: {a: b}, Description: x") == [Guard(), Guard()]


def test_stage_and_variables_are_read(read: Reader) -> None:
    api = read(
        "StageName: !Ref Stage, StageVariables: {table: !Sub '${Stage}-orders', size: 7}"
    ).api
    assert (api.stage, api.variables) == ("test", {"table": "test-orders", "size": "7"})


def test_throttles_are_read_the_most_special_first(read: Reader) -> None:
    default = "{ThrottlingBurstLimit: 10, ThrottlingRateLimit: !Ref Rate, LoggingLevel: INFO}"
    settings = "{'POST /b': {ThrottlingRateLimit: 7.5}}"
    api = f"DefaultRouteSettings: {default}, RouteSettings: {settings}"
    assert [guard.throttle for guard in read.guards(api)] == [Throttle(10, 5), Throttle(10, 7.5)]
    event = "RouteSettings: {ThrottlingBurstLimit: 3}"
    assert read.guards(api, event=event)[1].throttle == Throttle(3, 7.5)
    assert [guard.throttle for guard in read.guards(event=event)] == [None, Throttle(3, 10_000)]


def test_an_if_decides_and_no_value_is_nothing(read: Reader) -> None:
    api = "DefaultRouteSettings: !If [Throttled, {ThrottlingBurstLimit: 1}, !Ref AWS::NoValue]"
    assert read.guards(api)[0].throttle == Throttle(1, 10_000)
    api = "DefaultRouteSettings: !If [Throttled, !Ref AWS::NoValue, {ThrottlingBurstLimit: 1}]"
    assert read.guards(api)[0].throttle is None


def test_authorizers_are_read_with_what_routes_say_of_them(read: Reader) -> None:
    auth = f"Auth: {{DefaultAuthorizer: Tokens, Authorizers: {{Tokens: {TOKENS}}}}}"
    tokens = JwtAuthorizer(
        name="Tokens",
        issuer="https://issuer.example",
        audience=("a", "b"),
        source=("header", "x-token"),
        scopes=("read",),
    )
    assert read.guards(auth) == [Guard(authorizer=tokens, scopes=("read",))] * 2
    event = "Auth: {AuthorizationScopes: [write, admin]}"
    assert read.guards(auth, event=event)[1].scopes == ("write", "admin")
    assert read.guards(auth, event="Auth: {Authorizer: NONE}")[1] == Guard()
    without = auth.replace("DefaultAuthorizer: Tokens, ", "")
    chosen = read.guards(without, event="Auth: {Authorizer: Tokens}")
    assert [guard.authorizer for guard in chosen] == [None, tokens]


def test_cors_is_read(read: Reader) -> None:
    assert read("CorsConfiguration: true").api.cors == Cors(origins=("*",))
    assert read("CorsConfiguration: false").api.cors is None
    every = (
        "{AllowOrigins: ['https://a'], AllowMethods: [GET], AllowHeaders: [x], ExposeHeaders: [y],"
        " MaxAge: 60, AllowCredentials: true}"
    )
    assert read(f"CorsConfiguration: {every}").api.cors == Cors(
        origins=("https://a",),
        methods=("GET",),
        headers=("x",),
        exposed=("y",),
        max_age_seconds=60,
        credentials=True,
    )


def test_globals_are_under_the_apis_own(read: Reader) -> None:
    """Mappings by key, lists one after the other: as SAM merges them."""
    cors = "CorsConfiguration: {AllowOrigins: ['https://a'], MaxAge: 1}"
    own = "CorsConfiguration: {AllowOrigins: ['https://b'], MaxAge: 2}"
    found = read(own, api_globals=cors).api.cors
    assert found == Cors(origins=("https://a", "https://b"), max_age_seconds=2)


def test_routes_without_an_api_belong_to_the_one_that_sam_makes(tmp_path: Path) -> None:
    text = (
        "Globals: {HttpApi: {CorsConfiguration: true}}\n"
        "Resources: {One: {Type: AWS::Serverless::Function, Properties: {CodeUri: one,"
        " Handler: app.handler, Events: {A: {Type: HttpApi}}}}}"
    )
    (tmp_path / "template.yaml").write_text(text)
    assert Template.read(tmp_path / "template.yaml").api.cors == Cors(origins=("*",))


def test_a_resource_whose_condition_does_not_hold_is_not_there(read: Reader) -> None:
    two = "  Two: {Type: AWS::Serverless::Function, Condition: %s, Properties: {CodeUri: two, "
    two += "Handler: a.b}}"
    assert [each.name for each in read(more=two % "Throttled").functions] == ["One", "Two"]
    assert [each.name for each in read(more=two % "Elsewhere").functions] == ["One"]
    with pytest.raises(
        TemplateError, match=r"^Two has a Condition that is not known here: Ref Later$"
    ):
        read(more=two % "Unknown")


def test_the_condition_of_what_is_not_served_need_not_be_known(read: Reader) -> None:
    more = "  Bucket: {Type: AWS::S3::Bucket, Condition: Unknown}"
    assert [each.name for each in read(more=more).functions] == ["One"]


ANOTHER = """  Other: {Type: AWS::Serverless::HttpApi}
  Two:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: two
      Handler: a.b
      Events: {C: {Type: HttpApi, Properties: {ApiId: !Ref Other}}}
"""
TOKEN_OF = "Auth: {Authorizers: {Tokens: {JwtConfiguration: {%s}, %s}}}"
SOURCE = "IdentitySource: $request.header.Authorization"


@pytest.mark.parametrize(
    ("api", "event", "words"),
    [
        ("DefinitionBody: {}", "", "Api has DefinitionBody, which is not emulated"),
        ("Anything: 1", "", "Api has Anything, which is not emulated"),
        ("StageName: !Ref Later", "", "Api has a StageName that is not known here: Ref Later"),
        ("StageName: a/b", "", "Api has a StageName that is none: a/b"),
        ("RouteSettings: {'GET /x': {}}", "", "Api has RouteSettings of GET /x, which is no route"),
        (
            "DefaultRouteSettings: {ThrottlingBurstLimit: !GetAtt A.B}",
            "",
            "Api has a DefaultRouteSettings that is not known here: GetAtt",
        ),
        (
            "DefaultRouteSettings: {ThrottlingBurst: 1}",
            "",
            "One has a route A whose RouteSettings has ThrottlingBurst, which is not emulated",
        ),
        (
            "DefaultRouteSettings: {ThrottlingRateLimit: many}",
            "",
            "One has a route A with a ThrottlingRateLimit that is no number",
        ),
        (
            "Auth: {EnableIamAuthorizer: true}",
            "",
            "Api's Auth has EnableIamAuthorizer, which is not emulated",
        ),
        (
            "Auth: {DefaultAuthorizer: AWS_IAM}",
            "",
            "One has a route A with an authorizer AWS_IAM, which is not emulated",
        ),
        (
            "Auth: {Authorizers: {Own: {FunctionArn: !Sub x}}}",
            "",
            "Api's authorizer Own is a Lambda authorizer, which is not emulated",
        ),
        (
            TOKEN_OF % ("issuer: 'https://a'", SOURCE),
            "",
            "Api's authorizer Tokens has no issuer or no audience in its JwtConfiguration",
        ),
        (
            TOKEN_OF % ("issuer: a, audience: [b]", SOURCE),
            "",
            "Api's authorizer Tokens has an issuer that is no URL: a",
        ),
        (
            TOKEN_OF % ("issuer: 'https://a', audience: [b]", "IdentitySource: header"),
            "",
            "Api's authorizer Tokens has no IdentitySource like",
        ),
        (
            TOKEN_OF % ("issuer: !Sub 'https://${AWS::Region}', audience: [b]", SOURCE),
            "",
            "Api has an Auth that is not known here: Ref AWS::Region",
        ),
        (
            "CorsConfiguration: {AllowOrigin: x}",
            "",
            "Api's CorsConfiguration has AllowOrigin, which",
        ),
        (
            "CorsConfiguration: {AllowOrigins: ['*'], AllowCredentials: true}",
            "",
            "Api allows credentials to all origins, which API Gateway refuses",
        ),
        ("CorsConfiguration: {MaxAge: long}", "", "Api has a MaxAge that is no number"),
        ("", "PayloadFormatVersion: '1.0'", "One has a route B with a PayloadFormatVersion other"),
        ("", "Auth: {Authorizer: Nobody}", "One has a route B with an authorizer Nobody, which"),
        ("", "Auth: {InvokeRole: x}", "One has a route B whose Auth has InvokeRole, which is not"),
        ("", "RequestParameters: []", "One has a route B that has RequestParameters, which is not"),
        ("", "TimeoutInMillis: soon", "One has a route B with a TimeoutInMillis that is no number"),
    ],
)
def test_what_is_not_emulated_is_refused_in_one_sentence(
    read: Reader, api: str, event: str, words: str
) -> None:
    with pytest.raises(TemplateError, match=f"^{words}") as error:
        read(api, event=event)
    assert "\n" not in str(error.value)


def test_routes_of_two_apis_are_refused(read: Reader) -> None:
    with pytest.raises(
        TemplateError,
        match=r"^Two has a route C of Other, and another of Api: a gateway is one API$",
    ):
        read(more=ANOTHER)
    with pytest.raises(TemplateError, match=r"^Two has a route C with an ApiId that is no"):
        read(more=ANOTHER.replace("ApiId: !Ref Other", "ApiId: !Ref One"))
