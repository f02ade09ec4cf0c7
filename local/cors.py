"""Cross-origin requests, answered as "Configure CORS for HTTP APIs" describes it."""

from collections.abc import Iterable
from dataclasses import dataclass

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Cors:
    """What the template's CorsConfiguration allows; empty for what it does not say."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age_seconds: int | None = None
    credentials: bool = False

    def preflight(self, request: Iterable[Header]) -> list[Header]:
        """The CORS headers of the answer to a preflight; none if its origin is not allowed."""
        told = self._origin(request)
        if not told:
            return []
        if self.methods:
            told.append((b"access-control-allow-methods", _list(self.methods)))
        if self.headers:
            told.append((b"access-control-allow-headers", _list(self.headers)))
        if self.max_age_seconds is not None:
            told.append((b"access-control-max-age", b"%d" % self.max_age_seconds))
        return told

    def applied(self, request: Iterable[Header], response: list[Header]) -> list[Header]:
        """A function's response headers: its own of CORS away, the configured ones added."""
        told = self._origin(request)
        if told and self.exposed:
            told.append((b"access-control-expose-headers", _list(self.exposed)))
        return [each for each in response if not each[0].startswith(b"access-control-")] + told

    def _origin(self, request: Iterable[Header]) -> list[Header]:
        origin = _first(request, b"origin")
        if origin is None:
            return []
        allowed = self._allowed(origin.decode("latin-1"))
        if allowed is None:
            return []
        told = [(b"access-control-allow-origin", allowed.encode("latin-1"))]
        if self.credentials:
            told.append((b"access-control-allow-credentials", b"true"))
        return told

    def _allowed(self, origin: str) -> str | None:
        """What to say of an origin: itself or `*`; None if it is not allowed."""
        if "*" in self.origins:
            return "*"
        for allowed in self.origins:
            if allowed == origin or (
                allowed in ("http://*", "https://*") and origin.startswith(allowed[:-1])
            ):
                return origin
        return None


def is_preflight(method: str, headers: Iterable[Header]) -> bool:
    """Whether a browser asks if it may ask: OPTIONS with both headers that only browsers send."""
    names = {name.lower() for name, _ in headers} if method == "OPTIONS" else set()
    return {b"origin", b"access-control-request-method"} <= names


def _first(headers: Iterable[Header], wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name.lower() == wanted), None)


def _list(values: tuple[str, ...]) -> bytes:
    return ",".join(values).encode("latin-1")
