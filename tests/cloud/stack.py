"""Our templates as CloudFormation would see them: SAM's transform done, functions evaluated."""

import copy
import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from samtranslator.translator.transform import transform  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
STACKS = sorted(ROOT.glob("infra/*.yaml"))

_PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "shop",
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING = object()

Resources = Mapping[str, Mapping[str, Any]]


class _NoManagedPolicies:
    """We name no managed policy by SAM's short names."""

    def load(self) -> dict[str, str]:
        return {}


def read(path: Path) -> dict[str, Any]:
    """A template with its functions in long form; a copy of one's own."""
    return copy.deepcopy(_read(path))


@functools.cache
def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml_parse(path.read_text(encoding="utf-8"))
    return document


def transformed(template: Path = TEMPLATE, /, **parameters: str) -> dict[str, Any]:
    """A template after SAM's transform, with parameters other than the defaults."""
    return _transformed(template, tuple(sorted(parameters.items())))


@functools.cache
def _transformed(template: Path, parameters: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    document = read(template)
    for resource in document["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = f"s3://built/{resource['Properties'][name]}"
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": _PSEUDO["AWS::Region"]}):
        made: dict[str, Any] = transform(document, dict(parameters), _NoManagedPolicies())
    return made


def evaluated(document: Mapping[str, Any], **parameters: str) -> Resources:
    """The resources that there are with these parameters, their functions evaluated as far as that
    is possible before a deployment: `Ref` and `GetAtt` of resources stay, as `<Name>` and
    `<Name.Attribute>`."""
    return _Evaluation(document, parameters).resources()


class _Evaluation:
    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self._document = document
        self._parameters = {
            name: parameters.get(name, spec.get("Default", f"<{name}>"))
            for name, spec in document.get("Parameters", {}).items()
        }

    def resources(self) -> Resources:
        return {
            name: self._value(copy.deepcopy(resource))
            for name, resource in self._document["Resources"].items()
            if "Condition" not in resource or self._condition(resource["Condition"])
        }

    def _condition(self, name: str) -> bool:
        return bool(self._value(self._document["Conditions"][name]))

    def _value(self, given: Any) -> Any:
        if isinstance(given, list):
            return [one for one in map(self._value, given) if one is not _NOTHING]
        if not isinstance(given, Mapping):
            return given
        if len(given) == 1:
            ((name, argument),) = given.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._called(name.removeprefix("Fn::"), argument)
            if name == "Condition" and isinstance(argument, str):
                return self._condition(argument)
        pairs = ((name, self._value(value)) for name, value in given.items())
        return {name: value for name, value in pairs if value is not _NOTHING}

    def _called(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._reference(argument)
            case "GetAtt":
                path = argument if isinstance(argument, str) else ".".join(argument)
                return f"<{path}>"
            case "If":
                condition, then, otherwise = argument
                return self._value(then if self._condition(condition) else otherwise)
            case "Equals":
                left, right = map(self._value, argument)
                return str(left) == str(right)
            case "Not":
                return not self._value(argument[0])
            case "And":
                return all(map(self._value, argument))
            case "Or":
                return any(map(self._value, argument))
            case "Join":
                separator, parts = argument
                return separator.join(map(str, self._value(parts)))
            case "Sub":
                return self._substituted(argument)
        return f"<{name}>"  # a list of zones, a part of a network: known to a deployment alone

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        return self._parameters.get(name, _PSEUDO.get(name, f"<{name}>"))

    def _substituted(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument
        for name in {part.partition("}")[0] for part in text.split("${")[1:]}:
            if name in own:
                value = self._value(own[name])
            else:
                value = f"<{name}>" if "." in name else self._reference(name)
            text = text.replace(f"${{{name}}}", str(value))
        return str(text)


def of_type(resources: Resources, kind: str) -> dict[str, Mapping[str, Any]]:
    """Properties of the resources of a type."""
    return {
        name: resource.get("Properties", {})
        for name, resource in resources.items()
        if resource["Type"] == kind
    }


def strings(given: Any) -> Iterator[str]:
    """Every string in a document."""
    if isinstance(given, Mapping):
        for value in given.values():
            yield from strings(value)
    elif isinstance(given, list):
        for value in given:
            yield from strings(value)
    elif isinstance(given, str):
        yield given


def routes(resources: Resources) -> dict[str, Mapping[str, Any]]:
    """The routes of the one API that there is, with what API Gateway does for each."""
    (api,) = of_type(resources, "AWS::ApiGatewayV2::Api").values()
    return {
        "$default" if path == "/$default" else f"{method.upper()} {path}": operation
        for path, methods in api["Body"]["paths"].items()
        for method, operation in methods.items()
    }
