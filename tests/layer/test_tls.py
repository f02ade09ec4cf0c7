"""DB_SSLMODE and REDIS_TLS: what is asked for is done, or nothing is; what is disabled is not
asked for."""

import dataclasses
import socket
import threading
from pathlib import Path

import pytest
from flashsale.config import Settings
from flashsale.errors import StoreDown
from flashsale.inventory.pipeline import Pipeline
from flashsale.ledger import Ledger
from flashsale.ledger.migrate import migrate

from tests.layer.conftest import STARTS_AT
from tests.layer.tls import SSL_REQUEST, certificate, door


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path)


def behind(settings: Settings, port: int, sslmode: str) -> Settings:
    return dataclasses.replace(settings, db_port=port, db_sslmode=sslmode)


async def test_postgresql_is_asked_over_tls(settings: Settings, pem: Path) -> None:
    with door((settings.db_host, settings.db_port), pem, answer=b"S") as port:
        ledger = Ledger(behind(settings, port, "require"))
        assert await ledger.sold_in_sale(STARTS_AT) == []
        await ledger.close()


async def test_a_server_that_nobody_vouches_for_is_not_asked(settings: Settings, pem: Path) -> None:
    with door((settings.db_host, settings.db_port), pem, answer=b"S") as port:
        ledger = Ledger(behind(settings, port, "verify-full"))
        with pytest.raises(StoreDown):
            await ledger.sold_in_sale(STARTS_AT)
        await ledger.close()


async def test_one_that_somebody_vouches_for_is(
    settings: Settings, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with door((settings.db_host, settings.db_port), pem, answer=b"S") as port:
        ledger = Ledger(behind(settings, port, "verify-full"))
        assert await ledger.sold_in_sale(STARTS_AT) == []
        await ledger.close()


async def test_a_server_that_does_not_encrypt_gets_no_password(
    settings: Settings, pem: Path
) -> None:
    with door((settings.db_host, settings.db_port), pem, answer=b"N") as port:
        ledger = Ledger(behind(settings, port, "require"))
        with pytest.raises(StoreDown, match="ConnectionRefusedError"):
            await ledger.sold_in_sale(STARTS_AT)
        await ledger.close()


@pytest.mark.parametrize(("sslmode", "asks"), [("disable", False), ("require", True)])
@pytest.mark.parametrize("migrates", [False, True])
@pytest.mark.usefixtures("handshakes_fail")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_the_first_message_asks_for_tls_if_the_setting_does(
    sslmode: str, asks: bool, migrates: bool
) -> None:
    first = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as client:
                first.extend(client.recv(8))

        listener = threading.Thread(target=serve)
        listener.start()
        settings = Settings(db_port=server.getsockname()[1], db_sslmode=sslmode)
        ledger = Ledger(settings)
        with pytest.raises(StoreDown):
            await (migrate(settings) if migrates else ledger.sold_in_sale(STARTS_AT))
        await ledger.close()
        listener.join()
    assert (first == SSL_REQUEST) is asks


async def test_redis_is_asked_over_tls_if_somebody_vouches_for_it(
    redis_settings: Settings, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _, port = redis_settings.redis_addr.rpartition(":")
    with door((host, int(port)), pem) as door_port:
        behind_it = dataclasses.replace(
            redis_settings, redis_addr=f"127.0.0.1:{door_port}", redis_tls="on"
        )
        stranger = Pipeline(behind_it)
        with pytest.raises(StoreDown):
            await stranger.execute("PING")
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        pipeline = Pipeline(behind_it)
        assert await pipeline.execute("PING") == b"PONG"
        await pipeline.close()
