"""Any deployment: https with a certificate that is checked, and a base path."""

import ssl
import subprocess
from pathlib import Path

import pytest

from local.bench import address as addresses
from local.bench.address import Address
from local.bench.connection import ask
from tests.local.bench.sites import BODY, reply, server, target_of_next


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Self-signed, for 127.0.0.1, with its key in the same file."""
    file = tmp_path / "both.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test".split()
    name = "subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*make, "-keyout", str(file), "-out", str(tmp_path / "cert.pem"), "-addext", name],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + (tmp_path / "cert.pem").read_text())
    return file


async def test_a_certificate_that_is_not_trusted_is_refused_and_a_trusted_one_taken(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = []

    async def answer(reader, writer):  # type: ignore[no-untyped-def]
        targets.append(await target_of_next(reader))
        writer.write(reply(200, BODY))

    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate)
    async with server(answer, tls=theirs, base="/prod") as address:
        addresses._verifying.cache_clear()
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(address, "GET", "/stats")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        addresses._verifying.cache_clear()
        assert (await ask(address, "GET", "/stats")).body == BODY
        assert targets[-1] == "/prod/stats"
    addresses._verifying.cache_clear()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://shop.example", Address("shop.example", 80, "shop.example")),
        ("https://shop.example/prod/", Address("shop.example", 443, "shop.example", "/prod", True)),
        ("http://[::1]:8080", Address("::1", 8080, "[::1]:8080")),
    ],
)
def test_urls_are_taken_apart(url: str, found: Address) -> None:
    assert Address.parse(url) == found


@pytest.mark.parametrize(
    "url",
    ["shop.example", "ftp://x", "http://", "http://x/?a=1", "http://me:secret@x", "http://x/ä b"],
)
def test_what_is_no_url_of_a_deployment_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="--url"):
        Address.parse(url)
