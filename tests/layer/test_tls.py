"""DB_SSLMODE: what is disabled is not asked for."""

import socket
import threading

import pytest
from flashsale.config import Settings
from flashsale.ledger.session import connect
from pg8000.exceptions import InterfaceError

SSL_REQUEST = (80_877_103).to_bytes(4, "big")


@pytest.mark.parametrize(("sslmode", "asks"), [("disable", False), ("require", True)])
@pytest.mark.usefixtures("handshakes_fail")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_first_message_asks_for_tls_if_the_setting_does(sslmode: str, asks: bool) -> None:
    first = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as client:
                first.extend(client.recv(8))

        listener = threading.Thread(target=serve)
        listener.start()
        port = server.getsockname()[1]
        with pytest.raises((InterfaceError, OSError)):
            connect(Settings(db_port=port, db_sslmode=sslmode), name="test")
        listener.join()
    assert (bytes(first[4:8]) == SSL_REQUEST) is asks
