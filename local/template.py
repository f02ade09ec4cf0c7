"""Reads template.yaml: the only list of functions, routes, schedules, timeouts and settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from local.expression import ScheduleError
from local.httpapi import Guard, HttpApi, HttpApiReader, api_of, merged
from local.intrinsics import CloudFormation, Intrinsic, UnknownValueError, Values, intrinsic
from local.intrinsics import TemplateError as TemplateError  # where its readers look for it
from local.schedule import Schedule, read_schedule

DEFAULT_TIMEOUT_SECONDS, DEFAULT_MEMORY_MB = 3, 128  # AWS Lambda's own defaults
DEFAULT_ROUTE = "$default"

# Of a schedule: what only a deployment knows and needs. Of the first, whether it is there counts.
_UNREAD = frozenset("DeadLetterConfig KmsKeyArn PermissionsBoundary RoleArn".split())


@dataclass(frozen=True)
class Route:
    """An HTTP API route; `path` as in the template, `$default` for what no other route takes."""

    method: str
    path: str
    guard: Guard = field(default_factory=Guard)

    @property
    def key(self) -> str:
        return self.path if self.path == DEFAULT_ROUTE else f"{self.method} {self.path}"


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
    layers: tuple[str, ...] = ()
    """Logical ids, or the ARNs of layers that are not of this template."""
    environment: Mapping[str, str] = field(default_factory=dict)
    reserved: int | None = None
    """ReservedConcurrentExecutions: most invocations at once."""
    retries_max: int = 2
    event_age_seconds: int = 21_600
    """EventInvokeConfig: how often, and for how long, an asynchronous event is tried again."""


@dataclass(frozen=True)
class Layer:
    """One AWS::Serverless::LayerVersion; its folder is built by `sam build`, or ships as it is."""

    name: str
    folder: Path
    is_built: bool


@dataclass(frozen=True)
class Template:
    """What the local emulation takes from template.yaml."""

    functions: tuple[FunctionSpec, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Path, ...] = ()
    """Folders of layers that ship as they lie, for the path of a process with all functions."""
    all_layers: tuple[Layer, ...] = ()
    api: HttpApi = field(default_factory=HttpApi)

    @classmethod
    def read(cls, path: Path) -> "Template":
        """Read a SAM template.

        Raises:
            TemplateError: a value is missing, or is not one the local emulation knows.
        """
        # A subclass of the safe loader: it makes our marks, and no objects that a file may name.
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=CloudFormation)  # noqa: S506
        return _Reader(document, path.parent).template()


class _Reader:
    def __init__(self, document: Mapping[str, Any], root: Path) -> None:
        self._root = root
        self._values = Values(document)
        self._resources: Mapping[str, Any] = {
            name: resource
            for name, resource in document.get("Resources", {}).items()
            if self._exists(name, resource)
        }
        every: Mapping[str, Any] = document.get("Globals", {})
        self._globals: Mapping[str, Any] = every.get("Function", {})
        self._api_globals: Mapping[str, Any] = every.get("HttpApi", {})
        self._apis: dict[str, HttpApiReader] = {}

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
        functions = tuple(self._function(name, resource) for name, resource in specs.items())
        return Template(
            functions=functions,
            environment=environment,
            layers=tuple(each.folder / "python" for each in self._layers() if not each.is_built),
            all_layers=tuple(self._layers()),
            api=self._api({route.key for function in functions for route in function.routes}),
        )

    def _exists(self, name: str, resource: Mapping[str, Any]) -> bool:
        """Whether its condition holds; of what is not read here it need not be known."""
        if "Condition" not in resource or not resource["Type"].startswith("AWS::Serverless::"):
            return True
        try:
            return self._values.condition(resource["Condition"])
        except UnknownValueError as unknown:
            problem = f"{name} has a Condition that is not known here: {unknown}"
            raise TemplateError(problem) from None

    def _api(self, routes: set[str]) -> HttpApi:
        """What the one API that the routes belong to says of all of them."""
        for reader in self._apis.values():
            reader.require_routes(routes)
            return reader.api()
        return HttpApi()

    def _layers(self) -> list[Layer]:
        return [
            Layer(
                name=name,
                folder=self._root / resource["Properties"]["ContentUri"],
                is_built="BuildMethod" in resource.get("Metadata", {}),
            )
            for name, resource in self._resources.items()
            if resource["Type"] == "AWS::Serverless::LayerVersion"
        ]

    def _function(self, name: str, resource: Mapping[str, Any]) -> FunctionSpec:
        properties = {**self._globals, **resource["Properties"]}
        for required in ("CodeUri", "Handler"):
            if required not in properties:
                raise TemplateError(f"{name} has no {required}")
        again = properties.get("EventInvokeConfig", {})
        routes, schedules = [], []
        for event_name, event in properties.get("Events", {}).items():
            asked = event.get("Properties", {})
            if event["Type"] == "HttpApi":
                routes.append(self._route(asked, f"{name} has a route {event_name}"))
            elif event["Type"] in ("Schedule", "ScheduleV2"):
                schedules.append(self._schedule(f"{name}{event_name}", event["Type"], asked))
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
            layers=self._layers_of(resource["Properties"]),
            environment={
                **self._variables(self._globals),
                **self._variables(resource["Properties"]),
            },
            reserved=(
                self._number(name, properties, "ReservedConcurrentExecutions", 0)
                if "ReservedConcurrentExecutions" in properties
                else None
            ),
            retries_max=self._number(name, again, "MaximumRetryAttempts", 2),
            event_age_seconds=self._number(name, again, "MaximumEventAgeInSeconds", 21_600),
        )

    def _layers_of(self, properties: Mapping[str, Any]) -> tuple[str, ...]:
        """SAM adds a function's own layers to those of Globals."""
        named = [*self._globals.get("Layers", ()), *properties.get("Layers", ())]
        return tuple(_referred(each) for each in named)

    def _route(self, properties: Mapping[str, Any], what: str) -> Route:
        method, path = "ANY", DEFAULT_ROUTE
        if properties.keys() & {"Method", "Path"}:
            method, path = (self._text(what, properties, key) for key in ("Method", "Path"))
        bare = Route(method.upper(), path)
        return replace(bare, guard=self._reader(properties, what).guard(bare.key, what, properties))

    def _schedule(self, name: str, kind: str, properties: Mapping[str, Any]) -> Schedule:
        expression = "Schedule" if kind == "Schedule" else "ScheduleExpression"
        if expression not in properties:
            raise TemplateError(f"{name} has no {expression}")
        known = {
            key: value if key in _UNREAD else self._known(name, key, value)
            for key, value in properties.items()
        }
        try:
            return read_schedule(name, known, rule=kind == "Schedule")
        except ScheduleError as error:
            raise TemplateError(f"{name}: {error}") from None

    def _known(self, what: str, key: str, value: Any) -> Any:
        try:
            return self._values.value(value)
        except UnknownValueError as unknown:
            raise TemplateError(f"{what} has a {key} that is not known here: {unknown}") from None

    def _reader(self, properties: Mapping[str, Any], what: str) -> HttpApiReader:
        """The reader of the API that a route belongs to."""
        name = api_of(what, properties, self._resources)
        for other in self._apis.keys() - {name}:
            raise TemplateError(f"{what} of {name}, and another of {other}: a gateway is one API")
        if name not in self._apis:
            own = self._resources.get(name, {}).get("Properties") or {}
            self._apis[name] = HttpApiReader(name, merged(self._api_globals, own), self._values)
        return self._apis[name]

    def _text(self, what: str, properties: Mapping[str, Any], key: str) -> str:
        if key not in properties:
            raise TemplateError(f"{what} without a {key}")
        value = self._resolve(properties[key])
        if not isinstance(value, str):
            raise TemplateError(f"{what} with a {key} that is not known here")
        return value

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
        """A value, its functions evaluated; None if it is not known here."""
        try:
            return self._values.value(value)
        except UnknownValueError:
            return None


def _referred(value: Any) -> str:
    """The logical id that a `!Ref`, in short or long form, names; else the value as text."""
    value = intrinsic(value) or value
    return str(value.argument if isinstance(value, Intrinsic) else value)


def _text(value: object) -> str:
    if isinstance(value, list):  # a CommaDelimitedList
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
