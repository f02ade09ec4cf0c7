"""CloudFormation's own functions in a template, evaluated as far as a machine without AWS can.

Known are parameters with a default, and what conditions, `Fn::If`, `Fn::Join` and `Fn::Sub` make of
them. What only a deployment knows, an ARN or another stack's export, is not: who needs it refuses
the template by `UnknownValueError`, so that nothing is ever dropped in silence.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


class TemplateError(Exception):
    """The template says something that the local emulation can't do; one sentence."""


class UnknownValueError(Exception):
    """A value that only a deployment knows; the message is the function that would tell."""


@dataclass(frozen=True)
class Intrinsic:
    """A CloudFormation function, as `!Ref DbHost`; `name` without its `Fn::`."""

    name: str
    argument: Any


class CloudFormation(yaml.SafeLoader):
    """YAML with CloudFormation's tags, which stay unevaluated."""


_NOTHING = object()  # AWS::NoValue: the property is not there


class Values:
    """Evaluates what a template's resources are given."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._parameters: Mapping[str, Mapping[str, Any]] = document.get("Parameters", {})
        self._conditions: Mapping[str, Any] = document.get("Conditions", {})

    def value(self, given: Any) -> Any:
        """What is left of `given`, mappings and lists and all, once its functions are evaluated;
        None for AWS::NoValue.

        Raises:
            UnknownValueError: a function in it, however deep, that is not known here.
        """
        found = self._value(given)
        return None if found is _NOTHING else found

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds. Raises `UnknownValueError` as `value` does."""
        if name not in self._conditions:
            raise UnknownValueError(f"Condition {name}")
        return bool(self._value(self._conditions[name]))

    def _value(self, given: Any) -> Any:
        function = intrinsic(given)
        if function is not None:
            return self._evaluated(function)
        if isinstance(given, Mapping):
            pairs = ((name, self._value(value)) for name, value in given.items())
            return {name: value for name, value in pairs if value is not _NOTHING}
        if isinstance(given, list):
            values = (self._value(value) for value in given)
            return [value for value in values if value is not _NOTHING]
        return given

    def _evaluated(self, function: Intrinsic) -> Any:
        name, argument = function.name, function.argument
        match name:
            case "Ref":
                return self._parameter(argument)
            case "Condition":
                return self.condition(argument)
            case "If":
                condition, then, otherwise = argument
                return self._value(then if self.condition(condition) else otherwise)
            case "Equals":
                left, right = argument
                return _text(self._value(left)) == _text(self._value(right))
            case "Not":
                return not self._value(argument[0])
            case "And":
                return all(self._value(each) for each in argument)
            case "Or":
                return any(self._value(each) for each in argument)
            case "Join":
                separator, parts = argument
                return separator.join(_text(part) for part in self._value(parts))
            case "Sub":
                return self._substituted(argument)
        raise UnknownValueError(name)

    def _parameter(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        default = self._parameters.get(name, {}).get("Default")
        if default is None:
            raise UnknownValueError(f"Ref {name}")
        if str(self._parameters[name].get("Type", "")).startswith(("CommaDelimitedList", "List<")):
            return [part.strip() for part in str(default).split(",")]
        return default

    def _substituted(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def variable(found: re.Match[str]) -> str:
            if found[1]:  # ${!Literal} is left as ${Literal}
                return f"${{{found[2]}}}"
            name = found[2].strip()
            return _text(self._value(own[name]) if name in own else self._parameter(name))

        return _VARIABLE.sub(variable, text)


def intrinsic(given: Any) -> Intrinsic | None:
    """The function that a value is, in its short or its long form; None for a plain value."""
    if isinstance(given, Intrinsic):
        return given
    if isinstance(given, Mapping) and len(given) == 1:
        ((name, argument),) = given.items()
        if isinstance(name, str) and (
            name.startswith("Fn::") or (name in ("Ref", "Condition") and isinstance(argument, str))
        ):
            return Intrinsic(name.removeprefix("Fn::"), argument)
    return None


def _text(value: object) -> str:
    """As CloudFormation spells it where it wants a string."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _construct(loader: CloudFormation, suffix: str, node: yaml.Node) -> Intrinsic:
    if isinstance(node, yaml.ScalarNode):
        return Intrinsic(suffix, loader.construct_scalar(node))
    if isinstance(node, yaml.SequenceNode):
        return Intrinsic(suffix, loader.construct_sequence(node, deep=True))
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has no other kind
    return Intrinsic(suffix, loader.construct_mapping(node, deep=True))


yaml.add_multi_constructor("!", _construct, Loader=CloudFormation)
