"""Reads what a template asks of API Gateway itself: stage, throttles, CORS and JWT authorizers.

Names and defaults are those of SAM's AWS::Serverless::HttpApi and of a function's HttpApi event.
What has no meaning on one machine (domains, tags, access logs) is passed over; what would change
an answer and is not emulated is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.cors import Cors
from local.intrinsics import TemplateError, UnknownValueError, Values, intrinsic
from local.throttle import ACCOUNT_BURST, ACCOUNT_RATE, Throttle

API_TYPE = "AWS::Serverless::HttpApi"
IMPLICIT_API = "ServerlessHttpApi"  # what SAM calls the one that it makes by itself
DEFAULT_STAGE = "$default"
INTEGRATION_MS_MAX = 30_000

_API_HONOURED = {"StageName", "StageVariables", "CorsConfiguration", "Auth"} | {
    "DefaultRouteSettings",
    "RouteSettings",
}
_API_WITHOUT_MEANING = {"Name", "Description", "Tags", "PropagateTags", "FailOnWarnings"} | {
    "AccessLogSettings",
    "DisableExecuteApiEndpoint",
    "Domain",
}
_EVENT = {"ApiId", "Method", "Path", "Auth", "RouteSettings", "TimeoutInMillis"} | {
    "PayloadFormatVersion"
}
_SETTINGS_WITHOUT_MEANING = {"DetailedMetricsEnabled", "DataTraceEnabled", "LoggingLevel"}
_SOURCE = re.compile(r"\$request\.(header|querystring)\.([\w-]+)")


@dataclass(frozen=True)
class JwtAuthorizer:
    """Who may call a route: bearers of a token of this issuer for one of these audiences. `source`
    is where the token stands: `header` or `querystring`, and its name."""

    name: str
    issuer: str
    audience: tuple[str, ...]
    source: tuple[str, str] = ("header", "authorization")
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Guard:
    """What stands before one route. `scopes` are the route's own, or its authorizer's."""

    throttle: Throttle | None = None
    authorizer: JwtAuthorizer | None = None
    scopes: tuple[str, ...] = ()
    timeout_ms: int = INTEGRATION_MS_MAX


@dataclass(frozen=True)
class HttpApi:
    """What holds for all routes."""

    stage: str = DEFAULT_STAGE
    variables: Mapping[str, str] = field(default_factory=dict)
    cors: Cors | None = None


class HttpApiReader:
    """Reads one API's properties, and the guard of each of its routes."""

    def __init__(self, name: str, properties: Mapping[str, Any], values: Values) -> None:
        """Raises:
        TemplateError: a property is not known here, or is not one that is emulated.
        """
        self._name = name
        self._values = values
        refuse_others(name, properties, _API_HONOURED | _API_WITHOUT_MEANING)
        kept = {key: value for key, value in properties.items() if key in _API_HONOURED}
        self._properties = {key: self._known(key, value) for key, value in kept.items()}
        self._default = self._properties.get("DefaultRouteSettings") or {}
        self._settings: Mapping[str, Any] = self._properties.get("RouteSettings") or {}
        auth = self._properties.get("Auth") or {}
        refuse_others(f"{name}'s Auth", auth, {"Authorizers", "DefaultAuthorizer"})
        self._authorizers = {
            key: _authorizer(f"{name}'s authorizer {key}", key, given)
            for key, given in (auth.get("Authorizers") or {}).items()
        }
        self._default_authorizer = auth.get("DefaultAuthorizer")

    def api(self) -> HttpApi:
        """What holds for all routes."""
        stage = str(self._properties.get("StageName") or DEFAULT_STAGE)
        if stage != DEFAULT_STAGE and not re.fullmatch(r"[\w-]{1,128}", stage, re.ASCII):
            raise TemplateError(f"{self._name} has a StageName that is none: {stage}")
        variables = self._properties.get("StageVariables") or {}
        return HttpApi(
            stage=stage,
            variables={name: str(value) for name, value in variables.items()},
            cors=_cors(self._name, self._properties.get("CorsConfiguration")),
        )

    def guard(self, key: str, what: str, event: Mapping[str, Any]) -> Guard:
        """What stands before the route `key`; `event` has the properties of a function's event."""
        refuse_others(f"{what} that", event, _EVENT)
        own = {
            name: self._known_of(f"{what} with", name, event[name])
            for name in ("Auth", "RouteSettings", "TimeoutInMillis", "PayloadFormatVersion")
            if name in event
        }
        if str(own.get("PayloadFormatVersion", "2.0")) != "2.0":
            raise TemplateError(f"{what} with a PayloadFormatVersion other than 2.0")
        settings = {**self._settings.get(key, {}), **(own.get("RouteSettings") or {})}
        authorizer, scopes = self._auth(what, own.get("Auth") or {})
        return Guard(
            throttle=_throttle(what, {**self._default, **settings}),
            authorizer=authorizer,
            scopes=scopes,
            timeout_ms=_number(
                f"{what} with", "TimeoutInMillis", own.get("TimeoutInMillis"), INTEGRATION_MS_MAX
            ),
        )

    def require_routes(self, keys: set[str]) -> None:
        """Raise `TemplateError` if there are settings for a route that is not there; so does AWS,
        when it deploys."""
        for key in self._settings:
            if key not in keys:
                raise TemplateError(f"{self._name} has RouteSettings of {key}, which is no route")

    def _auth(
        self, what: str, auth: Mapping[str, Any]
    ) -> tuple[JwtAuthorizer | None, tuple[str, ...]]:
        refuse_others(f"{what} whose Auth", auth, {"Authorizer", "AuthorizationScopes"})
        name = auth.get("Authorizer", self._default_authorizer)
        if name is None or name == "NONE":
            return None, ()
        if name not in self._authorizers:
            raise TemplateError(f"{what} with an authorizer {name}, which is not emulated")
        authorizer = self._authorizers[name]
        own = auth.get("AuthorizationScopes")
        return authorizer, authorizer.scopes if own is None else tuple(own)

    def _known(self, key: str, given: Any) -> Any:
        return self._known_of(f"{self._name} has", key, given)

    def _known_of(self, what: str, key: str, given: Any) -> Any:
        try:
            return self._values.value(given)
        except UnknownValueError as unknown:
            problem = f"{what} {_a(key)} that is not known here: {unknown}"
            raise TemplateError(problem) from None


def api_of(what: str, event: Mapping[str, Any], resources: Mapping[str, Any]) -> str:
    """The logical id of the API that a route belongs to. Raises `TemplateError` if it is no
    AWS::Serverless::HttpApi of the template."""
    if "ApiId" not in event:
        return IMPLICIT_API
    reference = intrinsic(event["ApiId"])
    name = reference.argument if reference and reference.name == "Ref" else None
    if not isinstance(name, str) or resources.get(name, {}).get("Type") != API_TYPE:
        raise TemplateError(f"{what} with an ApiId that is no {API_TYPE} of the template")
    return name


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Globals under a resource's own properties, as SAM merges them: mappings by key, lists one
    after the other, anything else replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            if intrinsic(below) is None and intrinsic(value) is None:
                value = merged(below, value)
        elif isinstance(below, list) and isinstance(value, list):
            value = [*below, *value]
        result[key] = value
    return result


def refuse_others(what: str, given: Mapping[str, Any], known: set[str]) -> None:
    """Raise `TemplateError` if there is a key that is not known."""
    for key in given:
        if key not in known:
            raise TemplateError(f"{what} has {key}, which is not emulated")


def _throttle(what: str, settings: Mapping[str, Any]) -> Throttle | None:
    limits = {"ThrottlingBurstLimit", "ThrottlingRateLimit"}
    refuse_others(f"{what} whose RouteSettings", settings, limits | _SETTINGS_WITHOUT_MEANING)
    if not limits & settings.keys():
        return None
    burst = _number(
        f"{what} with", "ThrottlingBurstLimit", settings.get("ThrottlingBurstLimit"), None
    )
    rate = settings.get("ThrottlingRateLimit", ACCOUNT_RATE)
    try:
        return Throttle(ACCOUNT_BURST if burst is None else burst, float(rate))
    except (TypeError, ValueError):
        raise TemplateError(f"{what} with a ThrottlingRateLimit that is no number") from None


def _authorizer(what: str, name: str, given: Mapping[str, Any]) -> JwtAuthorizer:
    if "FunctionArn" in given:
        raise TemplateError(f"{what} is a Lambda authorizer, which is not emulated")
    refuse_others(what, given, {"JwtConfiguration", "IdentitySource", "AuthorizationScopes"})
    configuration = {
        key.lower(): value for key, value in (given.get("JwtConfiguration") or {}).items()
    }
    issuer, audience = configuration.get("issuer"), configuration.get("audience")
    if not issuer or not audience:
        raise TemplateError(f"{what} has no issuer or no audience in its JwtConfiguration")
    if not re.match(r"https?://", str(issuer)):
        raise TemplateError(f"{what} has an issuer that is no URL: {issuer}")
    source = _SOURCE.fullmatch(str(given.get("IdentitySource", "")))
    if source is None:
        raise TemplateError(
            f"{what} has no IdentitySource like $request.header.Authorization"
            " or $request.querystring.token"
        )
    return JwtAuthorizer(
        name=name,
        issuer=str(issuer),
        audience=(audience,) if isinstance(audience, str) else tuple(map(str, audience)),
        source=(source[1], source[2].lower() if source[1] == "header" else source[2]),
        scopes=tuple(given.get("AuthorizationScopes") or ()),
    )


def _cors(name: str, given: Any) -> Cors | None:
    if not given:
        return None
    if given is True or isinstance(given, str):
        given = {"AllowOrigins": ["*" if given is True else given]}
    keys = {"AllowOrigins", "AllowMethods", "AllowHeaders", "ExposeHeaders"}
    refuse_others(f"{name}'s CorsConfiguration", given, keys | {"MaxAge", "AllowCredentials"})
    lists = {key: tuple(map(str, given.get(key) or ())) for key in keys}
    credentials = str(given.get("AllowCredentials", False)).lower() == "true"
    if credentials and "*" in lists["AllowOrigins"]:
        raise TemplateError(f"{name} allows credentials to all origins, which API Gateway refuses")
    return Cors(
        origins=lists["AllowOrigins"],
        methods=lists["AllowMethods"],
        headers=lists["AllowHeaders"],
        exposed=lists["ExposeHeaders"],
        max_age_seconds=_number(f"{name} has", "MaxAge", given.get("MaxAge"), None),
        credentials=credentials,
    )


def _number(what: str, key: str, given: Any, default: Any) -> Any:
    if given is None:
        return default
    try:
        return int(given)
    except (TypeError, ValueError):
        raise TemplateError(f"{what} {_a(key)} that is no number") from None


def _a(key: str) -> str:
    return f"{'an' if key[0] in 'AEIOU' else 'a'} {key}"
