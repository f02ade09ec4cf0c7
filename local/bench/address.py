"""Where a deployment is: its URL taken apart, and requests to it as bytes."""

import ssl
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit


class Address(NamedTuple):
    """`authority` is what the Host header says; `base` is the path in front of every target."""

    host: str
    port: int
    authority: str
    base: str = ""
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Reads `http[s]://host[:port][/base]`. Raises ValueError for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"--url {url!r}: must be http[s]://host[:port][/path]")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError("--url: must be without a user, a query and a fragment")
        if not url.isascii() or any(sign <= " " for sign in url):
            raise ValueError(f"--url {url!r}: must be ASCII, without spaces")
        tls = parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        return cls(parts.hostname, port, parts.netloc, parts.path.rstrip("/"), tls)

    def request(self, method: str, target: str) -> bytes:
        """The bytes of a request without a body; `target` is below the base path."""
        length = "" if method == "GET" else "Content-Length: 0\r\n"
        return (
            f"{method} {self.base}{target} HTTP/1.1\r\nHost: {self.authority}\r\n{length}\r\n"
        ).encode()

    @property
    def context(self) -> ssl.SSLContext | None:
        """Verifies the server's certificate and name; None if the address is without TLS."""
        return _verifying() if self.tls else None


@cache
def _verifying() -> ssl.SSLContext:
    return ssl.create_default_context()
