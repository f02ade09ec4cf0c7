"""A door that speaks TLS in front of a server that does not, with a certificate of its own."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SSL_REQUEST = (8).to_bytes(4, "big") + (80_877_103).to_bytes(4, "big")


def certificate(folder: Path) -> Path:
    """A self-signed certificate of 127.0.0.1, and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "flashsale test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return pem


@contextlib.contextmanager
def door(to: tuple[str, int], pem: Path, *, answer: bytes = b"") -> Iterator[int]:
    """Listen on a port that it tells, and hand on what is decrypted. With an `answer`, it first
    wants PostgreSQL's request for TLS, and gives that answer to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):  # closed: the test is over
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=_hand_on, args=(client,), daemon=True).start()

        def _hand_on(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                if answer:
                    assert client.recv(8) == SSL_REQUEST
                    client.sendall(answer)
                with (
                    context.wrap_socket(client, server_side=True) as inside,
                    socket.create_connection(to) as outside,
                ):
                    back = threading.Thread(target=_pump, args=(outside, inside), daemon=True)
                    back.start()
                    _pump(inside, outside)
                    back.join()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
