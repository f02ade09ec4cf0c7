"""What of CloudFormation's own functions is known without a deployment."""

from typing import Any

import pytest
import yaml

from local.intrinsics import CloudFormation, UnknownValueError, Values

TEMPLATE = """
Parameters:
  Host: {Type: String, Default: db.example}
  Port: {Type: Number, Default: 5432}
  Hosts: {Type: CommaDelimitedList, Default: "a, b"}
  None: {Type: CommaDelimitedList, Default: ""}
  Empty: {Type: String, Default: ""}
  Required: {Type: String}
Conditions:
  Known: !Equals [!Ref Host, db.example]
  Never: !Not [!Condition Known]
  Both: !And [!Condition Known, !Condition Never]
  Either: !Or [!Condition Known, !Condition Never]
  Ported: {"Fn::Equals": [{"Ref": Port}, "5432"]}
  InVpc: !Not [!Equals [!Join ["", !Ref None], ""]]
  Later: !Equals [!Ref Required, x]
"""


def value(text: str) -> Any:
    document = yaml.load(TEMPLATE, Loader=CloudFormation)  # noqa: S506 - a safe loader
    given = yaml.load(text, Loader=CloudFormation)  # noqa: S506
    return Values(document).value(given)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("!Ref Host", "db.example"),
        ("{Ref: Port}", 5432),
        ("!Ref Hosts", ["a", "b"]),
        ("!Ref Empty", ""),
        ("!If [Known, 1, 2]", 1),
        ("!If [Never, 1, 2]", 2),
        ("!If [Both, 1, 2]", 2),
        ("!If [Either, 1, !GetAtt A.B]", 1),
        ("!If [Ported, 1, 2]", 1),
        ("!If [InVpc, 1, 2]", 2),
        ("{'Fn::If': [Known, {a: !Ref Host}, {}]}", {"a": "db.example"}),
        ("!If [Known, !Ref AWS::NoValue, 1]", None),
        ("{a: !Ref AWS::NoValue, b: [1, !If [Known, !Ref AWS::NoValue, 2]]}", {"b": [1]}),
        ("!Join ['-', [a, !Ref Port, true]]", "a-5432-true"),
        ("!Join [',', !Ref Hosts]", "a,b"),
        ("!Sub 'http://${Host}:${Port}/${!Kept}'", "http://db.example:5432/${Kept}"),
        ("!Sub ['${Host}/${Own}', {Own: !Ref Port}]", "db.example/5432"),
        ("{Condition: {StringEquals: {a: b}}}", {"Condition": {"StringEquals": {"a": "b"}}}),
        ("plain", "plain"),
    ],
)
def test_a_known_value_is_evaluated(text: str, known: object) -> None:
    assert value(text) == known


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("!GetAtt A.B", "GetAtt"),
        ("!Ref Required", "Ref Required"),
        ("!Ref AWS::Region", "Ref AWS::Region"),
        ("!Ref SomeResource", "Ref SomeResource"),
        ("{a: [{b: !ImportValue x}]}", "ImportValue"),
        ("!If [Later, 1, 2]", "Ref Required"),
        ("!If [Nowhere, 1, 2]", "Condition Nowhere"),
        ("!Sub 'arn:${AWS::Partition}'", "Ref AWS::Partition"),
        ("!Join ['', [!GetAtt A.B]]", "GetAtt"),
    ],
)
def test_what_only_a_deployment_knows_is_an_error_that_names_it(text: str, words: str) -> None:
    with pytest.raises(UnknownValueError, match=f"^{words}$"):
        value(text)
