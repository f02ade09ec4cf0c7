"""Reads template.yaml: the only list of functions, routes, schedules, timeouts and settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEFAULT_TIMEOUT_SECONDS, DEFAULT_MEMORY_MB = 3, 128  # AWS Lambda's own defaults
DEFAULT_ROUTE = "$default"


class TemplateError(Exception):
    """The template says something that the local emulation can't do; one sentence."""


@dataclass(frozen=True)
class Route:
    """An HTTP API route; `path` as in the template, `$default` for what no other route takes."""

    method: str
    path: str

    @property
    def key(self) -> str:
        return self.path if self.path == DEFAULT_ROUTE else f"{self.method} {self.path}"


@dataclass(frozen=True)
class Schedule:
    """When a function runs by itself, in EventBridge's grammar."""

    name: str
    expression: str
    timezone: str = "UTC"
    input: str | None = None
    retries_max: int = 0


@dataclass(frozen=True)
class FunctionSpec:
    """One AWS::Serverless::Function."""

    name: str
    folder: Path
    handler: str
    timeout_seconds: int
    memory_mb: int
    routes: tuple[Route, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    on_deploy: bool = False


@dataclass(frozen=True)
class Template:
    """What the local emulation takes from template.yaml."""

    functions: tuple[FunctionSpec, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Path, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Template":
        """Read a SAM template.

        Raises:
            TemplateError: a value is missing, or is not one the local emulation knows.
        """
        # A subclass of the safe loader: it makes our marks, and no objects that a file may name.
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_CloudFormation)  # noqa: S506
        return _Reader(document, path.parent).template()


class _Reader:
    def __init__(self, document: Mapping[str, Any], root: Path) -> None:
        self._root = root
        self._resources: Mapping[str, Any] = document.get("Resources", {})
        self._globals: Mapping[str, Any] = document.get("Globals", {}).get("Function", {})
        parameters = document.get("Parameters", {})
        self._defaults = {name: spec.get("Default") for name, spec in parameters.items()}

    def template(self) -> Template:
        specs = {
            name: resource
            for name, resource in self._resources.items()
            if resource["Type"] == "AWS::Serverless::Function"
        }
        environment = self._variables(self._globals)
        for name, resource in specs.items():
            for variable, value in self._variables(resource["Properties"]).items():
                # Local functions share one process, and so one environment.
                if environment.setdefault(variable, value) != value:
                    raise TemplateError(f"{name} sets {variable} otherwise than other functions do")
        return Template(
            functions=tuple(self._function(name, resource) for name, resource in specs.items()),
            environment=environment,
            layers=tuple(self._layers()),
        )

    def _layers(self) -> list[Path]:
        """Folders of layers that ship as they lie; one that is built is installed by pip here."""
        return [
            self._root / resource["Properties"]["ContentUri"] / "python"
            for resource in self._resources.values()
            if resource["Type"] == "AWS::Serverless::LayerVersion"
            and "BuildMethod" not in resource.get("Metadata", {})
        ]

    def _function(self, name: str, resource: Mapping[str, Any]) -> FunctionSpec:
        properties = {**self._globals, **resource["Properties"]}
        for required in ("CodeUri", "Handler"):
            if required not in properties:
                raise TemplateError(f"{name} has no {required}")
        routes, schedules = [], []
        for event_name, event in properties.get("Events", {}).items():
            asked = event.get("Properties", {})
            if event["Type"] == "HttpApi":
                routes.append(_route(asked, f"{name} has a route {event_name}"))
            elif event["Type"] in ("Schedule", "ScheduleV2"):
                schedules.append(_schedule(f"{name}{event_name}", asked))
            else:
                raise TemplateError(f"{name} has an event {event_name} of type {event['Type']}")
        return FunctionSpec(
            name=name,
            folder=self._root / properties["CodeUri"],
            handler=properties["Handler"],
            timeout_seconds=self._number(name, properties, "Timeout", DEFAULT_TIMEOUT_SECONDS),
            memory_mb=self._number(name, properties, "MemorySize", DEFAULT_MEMORY_MB),
            routes=tuple(routes),
            schedules=tuple(schedules),
            on_deploy=resource.get("Metadata", {}).get("InvokeOn") == "deploy",
        )

    def _number(self, name: str, properties: Mapping[str, Any], key: str, default: int) -> int:
        value = self._resolve(properties.get(key, default))
        try:
            return int(value)
        except (TypeError, ValueError):
            raise TemplateError(f"{name} has a {key} that is not known here") from None

    def _variables(self, properties: Mapping[str, Any]) -> dict[str, str]:
        """Environment variables with a value that is known here; an empty one counts as not set."""
        variables = properties.get("Environment", {}).get("Variables", {})
        resolved = {name: self._resolve(value) for name, value in variables.items()}
        return {name: _text(value) for name, value in resolved.items() if value not in (None, "")}

    def _resolve(self, value: Any) -> Any:
        """A value, or the default of the parameter that it refers to; None if it is not known."""
        if isinstance(value, Mapping):  # an intrinsic function in long form
            value = _Intrinsic(*next(iter(value.items())))
        if isinstance(value, _Intrinsic):
            return self._defaults.get(value.argument) if value.name == "Ref" else None
        return value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _route(properties: Mapping[str, Any], what: str) -> Route:
    if not properties.keys() & {"Method", "Path"}:
        return Route("ANY", DEFAULT_ROUTE)
    try:
        return Route(properties["Method"].upper(), properties["Path"])
    except KeyError as missing:
        raise TemplateError(f"{what} without a {missing.args[0]}") from None


def _schedule(name: str, properties: Mapping[str, Any]) -> Schedule:
    expression = properties.get("ScheduleExpression") or properties.get("Schedule")
    if expression is None:
        raise TemplateError(f"{name} has no ScheduleExpression")
    return Schedule(
        name=name,
        expression=expression,
        timezone=properties.get("ScheduleExpressionTimezone", "UTC"),
        input=properties.get("Input"),
        retries_max=int(properties.get("RetryPolicy", {}).get("MaximumRetryAttempts", 0)),
    )


@dataclass(frozen=True)
class _Intrinsic:
    """A CloudFormation function in short form, as `!Ref DbHost`."""

    name: str
    argument: Any


class _CloudFormation(yaml.SafeLoader):
    """YAML with CloudFormation's tags, which stay unevaluated."""


def _intrinsic(loader: _CloudFormation, suffix: str, node: yaml.Node) -> _Intrinsic:
    if isinstance(node, yaml.ScalarNode):
        return _Intrinsic(suffix, loader.construct_scalar(node))
    if isinstance(node, yaml.SequenceNode):
        return _Intrinsic(suffix, loader.construct_sequence(node, deep=True))
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has no other kind
    return _Intrinsic(suffix, loader.construct_mapping(node, deep=True))


yaml.add_multi_constructor("!", _intrinsic, Loader=_CloudFormation)
