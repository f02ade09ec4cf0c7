"""What one process of the local gateway puts up with: every bound, its variable and its default.

docs/LIMITS.md lists them with what a client is told.
"""

import os
import re
import resource
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from local.errors import LocalError

PREFIX = "GATEWAY_"
FILES_SPARE = 128  # descriptors for everything that is no client: stores, log, libraries

_WHOLE = re.compile(r"[0-9]{1,12}")
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
_ROUTE = re.compile(r"[A-Z]+ /\S*")


def bound(default: Any, doc: str, *, minimum: float = 0, maximum: float = 0) -> Any:
    """Declare one bound; its variable is PREFIX and the field's name in capitals."""
    return field(default=default, metadata={"doc": doc, "minimum": minimum, "maximum": maximum})


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """All bounds, each for one process. Read once, at start, by `Bounds.read`."""

    head_seconds: float = bound(
        5.0, "longest time from a request's first byte to the end of its head", maximum=300
    )
    body_seconds: float = bound(10.0, "longest time for its body after that", maximum=300)
    idle_seconds: float = bound(
        60.0, "longest time that a connection waits for its next request", maximum=3_600
    )
    write_seconds: float = bound(
        10.0, "longest time that a client may read nothing of its answer", maximum=300
    )
    linger_seconds: float = bound(
        2.0, "how long a refused client may go on sending before it is cut off", maximum=60
    )

    url_bytes: int = bound(8_192, "longest request target", minimum=64, maximum=65_536)
    head_bytes: int = bound(
        16_384, "largest head: request line and headers", minimum=256, maximum=1_048_576
    )
    headers: int = bound(64, "most headers of a request", minimum=8, maximum=1_000)
    # What Lambda carries to a function. API Gateway takes 10 MB, and fails on what is between.
    body_bytes: int = bound(6_291_556, "largest body of a request", minimum=0, maximum=10_485_760)

    # With the spare ones 4,096 open files, which even old systems allow.
    connections: int = bound(3_968, "most connections", minimum=1, maximum=100_000)
    connections_per_address: int = bound(
        2_048, "most connections of one address, or of one IPv6 /64", minimum=1, maximum=100_000
    )
    in_flight: int = bound(
        2_400, "most requests under way at once; see `preferred`", minimum=1, maximum=100_000
    )
    preferred: tuple[str, ...] = bound(
        ("POST /purchase", "POST /checkout"),
        "routes that are served longest, the dearest first; comma between",
    )

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Bounds":
        """Read and check every bound; an empty variable counts as not set.

        Raises:
            LocalError: names the first wrong variable, its value and the reason.
        """
        environ = os.environ if environ is None else environ
        values = {
            known.name: _parse(known, text)
            for known in fields(cls)
            if (text := environ.get(variable(known.name), ""))
        }
        return cls(**values)

    @property
    def shortest_seconds(self) -> float:
        """How often a connection must be looked at so that no deadline is missed."""
        return min(self.head_seconds, self.body_seconds, self.idle_seconds, self.write_seconds)

    @property
    def files(self) -> int:
        """Descriptors that a process needs."""
        return self.connections + FILES_SPARE


def variable(name: str) -> str:
    """The environment variable of a bound."""
    return PREFIX + name.upper()


def allow_files(wanted: int) -> None:
    """Let this process open so many files.

    Raises:
        LocalError: the machine forbids it. Accepting fewer connections than there is room for
            would leave the rest to wait unheard.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise LocalError(
                f"{variable('connections')} needs {wanted} open files, and this machine allows"
                f" {hard} (ulimit -Hn): raise that, or lower {variable('connections')}."
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _parse(known: Field[Any], text: str) -> Any:
    name, rules = variable(known.name), known.metadata
    if known.type is int or known.type is float:
        whole = known.type is int
        if not (_WHOLE if whole else _DECIMAL).fullmatch(text):
            kind = "a whole number" if whole else "a number of seconds"
            raise LocalError(f"{name} is {text!r}, which is not {kind}")
        value, low, high = known.type(text), rules["minimum"], rules["maximum"]
        # A deadline of nothing would refuse everybody.
        if not low <= value <= high or (not whole and not value):
            shown = f"between {low} and {high}" if whole else f"above 0 and up to {high}"
            raise LocalError(f"{name} is {text!r}, which is not {shown}")
        return value
    routes = tuple(route.strip() for route in text.split(","))
    for route in routes:
        if not _ROUTE.fullmatch(route):
            raise LocalError(f"{name} has {route!r}, which is not of the form POST /path")
    return routes
