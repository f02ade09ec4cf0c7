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
        events = properties.get("Events", {})
        return FunctionSpec(
            name=name,
            folder=self._root / properties["CodeUri"],
            handler=properties["Handler"],
            timeout_seconds=int(properties.get("Timeout", DEFAULT_TIMEOUT_SECONDS)),
            memory_mb=int(properties.get("MemorySize", DEFAULT_MEMORY_MB)),
            routes=tuple(
                Route(event["Properties"]["Method"].upper(), event["Properties"]["Path"])
                for event in events.values()
                if event["Type"] == "HttpApi"
            ),
            schedules=tuple(
                _schedule(f"{name}{event_name}", event["Properties"])
                for event_name, event in events.items()
                if event["Type"] in ("Schedule", "ScheduleV2")
            ),
            on_deploy=resource.get("Metadata", {}).get("InvokeOn") == "deploy",
        )

    def _variables(self, properties: Mapping[str, Any]) -> dict[str, str]:
        """Environment variables with a value that is known here; an empty one counts as not set."""
        variables = properties.get("Environment", {}).get("Variables", {})
        resolved = {name: self._resolve(value) for name, value in variables.items()}
        return {name: str(value) for name, value in resolved.items() if value not in (None, "")}

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, _Intrinsic):
            return self._defaults.get(value.argument) if value.name == "Ref" else None
        return value


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
