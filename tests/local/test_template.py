"""What the local emulation reads from a template; test_our_template.py reads our own."""

from pathlib import Path

import pytest

from local.schedule import Schedule
from local.template import FunctionSpec, Route, Template, TemplateError

HEAD = """
Parameters:
  Host: {Type: String, Default: db.example}
  Seconds: {Type: Number, Default: 42}
  Memory: {Type: Number, Default: 1024}
  Unset: {Type: String, Default: ""}
  Required: {Type: String}
"""


@pytest.fixture
def read(tmp_path: Path) -> "Reader":
    return Reader(tmp_path)


class Reader:
    """Reads a template of the parameters above, the globals and the resources given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, resources: str, *, function_globals: str = "{}") -> Template:
        text = f"{HEAD}\nGlobals: {{Function: {function_globals}}}\nResources:\n{resources}\n"
        (self.folder / "template.yaml").write_text(text)
        return Template.read(self.folder / "template.yaml")

    def function(self, properties: str, *, function_globals: str = "{}") -> FunctionSpec:
        """The one function with these properties, CodeUri and Handler given."""
        (found,) = self(one("One", properties), function_globals=function_globals).functions
        return found


def one(name: str, properties: str) -> str:
    given = f"CodeUri: functions/{name.lower()}, Handler: app.handler, {properties}"
    return f"  {name}: {{Type: AWS::Serverless::Function, Properties: {{{given}}}}}\n"


def test_a_function_has_lambdas_own_defaults(read: Reader) -> None:
    assert read.function("") == FunctionSpec(
        name="One",
        folder=read.folder / "functions/one",
        handler="app.handler",
        timeout_seconds=3,
        memory_mb=128,
    )


def test_globals_hold_where_a_function_says_nothing_else(read: Reader) -> None:
    both = "{Timeout: 10, MemorySize: 512}"
    assert read.function("", function_globals=both).timeout_seconds == 10
    found = read.function("Timeout: 20", function_globals=both)
    assert (found.timeout_seconds, found.memory_mb) == (20, 512)


def test_parameters_stand_for_their_defaults(read: Reader) -> None:
    found = read.function("Timeout: !Ref Seconds, MemorySize: {Ref: Memory}")
    assert (found.timeout_seconds, found.memory_mb) == (42, 1024)


def test_the_environment_holds_what_is_known_here(read: Reader) -> None:
    """What only a deployment knows is left out, for the settings' own defaults; an empty value
    counts as not set; a YAML boolean is spelled as CloudFormation spells it."""
    variables = (
        "{HOST: !Ref Host, SECONDS: {Ref: Seconds}, PLAIN: text, NUMBER: 7, FLAG: true,"
        " EMPTY: !Ref Unset, LATER: !Ref Required, ARN: !GetAtt One.Arn, JOINED: !Sub '${Host}/x',"
        " REGION: !Sub 'https://${AWS::Region}.example',"
        " LONG: {'Fn::GetAtt': [One, Arn]}}"
    )
    template = read(one("One", f"Environment: {{Variables: {variables}}}"))
    assert template.environment == {
        "HOST": "db.example",
        "JOINED": "db.example/x",
        "SECONDS": "42",
        "PLAIN": "text",
        "NUMBER": "7",
        "FLAG": "true",
    }


def test_functions_that_set_a_variable_apart_are_an_error(read: Reader) -> None:
    """They share one process here, and so one environment."""
    resources = one("One", "Environment: {Variables: {A: 1, B: 1}}")
    resources += one("Two", "Environment: {Variables: {A: 1, B: 2}}")
    with pytest.raises(TemplateError, match=r"^Two sets B otherwise than other functions do$"):
        read(resources)


def test_routes_are_read_as_the_template_spells_them(read: Reader) -> None:
    """An event without a path and method is the $default route."""
    events = (
        "{A: {Type: HttpApi, Properties: {Method: post, Path: '/a/{id}'}},"
        " B: {Type: HttpApi, Properties: {Path: '/b', Method: ANY}},"
        " C: {Type: HttpApi, Properties: {Path: $default, Method: ANY}}, D: {Type: HttpApi}}"
    )
    routes = read.function(f"Events: {events}").routes
    assert routes[:2] == (Route("POST", "/a/{id}"), Route("ANY", "/b"))
    assert [route.key for route in routes] == ["POST /a/{id}", "ANY /b", "$default", "$default"]


def test_schedules_of_both_kinds_are_read(read: Reader) -> None:
    events = (
        "{Hourly: {Type: ScheduleV2, Properties: {ScheduleExpression: 'cron(0 * * * ? *)',"
        " ScheduleExpressionTimezone: Europe/Berlin, Input: '{}',"
        " RetryPolicy: {MaximumRetryAttempts: 3}}},"
        " Often: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}}"
    )
    hourly, often = read.function(f"Events: {events}").schedules
    assert hourly == Schedule(
        "OneHourly", "cron(0 * * * ? *)", timezone="Europe/Berlin", input="{}", retries_max=3
    )
    assert often == Schedule("OneOften", "rate(1 minute)", rule=True)


def test_only_layers_that_ship_as_they_lie_are_on_the_path(read: Reader) -> None:
    template = read(
        "  Lies: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layers/a}}\n"
        "  Built: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: python3.13},"
        " Properties: {ContentUri: layers/b}}"
    )
    assert template.layers == (read.folder / "layers/a/python",)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ("Events: {A: {Type: SQS, Properties: {Queue: q}}}", "One has an event A of type SQS"),
        ("Events: {A: {Type: ScheduleV2, Properties: {}}}", "OneA has no ScheduleExpression"),
        ("Events: {A: {Type: HttpApi, Properties: {Path: /a}}}", "One has a route A without"),
        ("Timeout: !GetAtt A.B", "One has a Timeout that is not known here"),
        ("Timeout: soon", "One has a Timeout that is not known here"),
        ("Timeout: !Ref Required", "One has a Timeout that is not known here"),
    ],
)
def test_what_can_not_be_emulated_is_an_error_in_one_sentence(
    read: Reader, properties: str, words: str
) -> None:
    with pytest.raises(TemplateError, match=f"^{words}") as error:
        read.function(properties)
    assert "\n" not in str(error.value)


def test_a_function_without_code_or_handler_is_an_error(read: Reader) -> None:
    kind = "Type: AWS::Serverless::Function"
    with pytest.raises(TemplateError, match=r"^One has no CodeUri$"):
        read(f"  One: {{{kind}, Properties: {{Handler: app.handler}}}}")
    with pytest.raises(TemplateError, match=r"^One has no Handler$"):
        read(f"  One: {{{kind}, Properties: {{CodeUri: functions/one}}}}")
