"""An OpenID Connect issuer: a real server that publishes keys, and the tokens that they sign."""

import base64
import functools
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

AUDIENCE = "shop"


@functools.cache
def rsa_key(number: int) -> rsa.RSAPrivateKey:
    """One of the keys of all tests: making them is slow."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def public_jwk(number: int, **members: Any) -> dict[str, Any]:
    """A key as a key set has it, under the name `key-{number}`."""
    jwk: dict[str, Any] = RSAAlgorithm.to_jwk(rsa_key(number).public_key(), as_dict=True)
    return {**jwk, "kid": f"key-{number}", "use": "sig", **members}


class Issuer:
    """Serves discovery document and key set on a free port of this machine."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [public_jwk(1)]
        self.asked: list[str] = []
        self.status = 200
        self.padding = ""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                documents = {
                    "/.well-known/openid-configuration": {"jwks_uri": f"{issuer.url}/keys"},
                    "/keys": {"keys": issuer.keys, "padding": issuer.padding},
                }
                body = json.dumps(documents[self.path]).encode()
                self.send_response(issuer.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def token(
        self, *, key: int = 1, algorithm: str = "RS256", kid: str | None = "", **claims: Any
    ) -> str:
        """A token of this issuer for the shop, good for five minutes; a claim of None is left out,
        and so is a `kid` of None."""
        given = {"iss": self.url, "aud": AUDIENCE, "exp": int(time.time()) + 300, **claims}
        name = {} if kid is None else {"kid": kid or f"key-{key}"}
        return jwt.encode(
            {claim: value for claim, value in given.items() if value is not None},
            rsa_key(key),
            algorithm=algorithm,
            headers=name,
        )


def unsigned(issuer: Issuer, algorithm: str) -> str:
    """A token that claims an algorithm and has no signature."""
    claims = {"iss": issuer.url, "aud": AUDIENCE, "exp": int(time.time()) + 300}
    parts = ({"alg": algorithm, "kid": "key-1", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b""]).decode()
