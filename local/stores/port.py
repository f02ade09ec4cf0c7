"""The port of a store on 127.0.0.1."""

import secrets
import socket
from pathlib import Path

from local.stores.errors import PortTakenError

# Below the ports that systems give to outgoing connections: a client that retries 127.0.0.1 while
# its server is down may otherwise connect to itself, and then keep the port from the server.
PORTS = range(20_000, 30_000)
TRIES_MAX = 100


def choose_port(folder: Path, *, wanted: int | None) -> int:
    """The port wanted; else that of the last run in the folder; else, if taken, a free one.

    Raises `PortTakenError` if the wanted one is taken.
    """
    if wanted:
        if not is_free(wanted):
            raise PortTakenError(f"Port {wanted} on 127.0.0.1 is taken by another program.")
        return wanted
    memory = folder / "port"
    last = memory.read_text().strip() if memory.exists() else ""
    if last.isdecimal() and int(last) in PORTS and is_free(int(last)):
        return int(last)
    for _ in range(TRIES_MAX):
        port = secrets.choice(PORTS)
        if is_free(port):
            memory.write_text(f"{port}\n")
            return port
    raise PortTakenError(f"None of {TRIES_MAX} ports tried on 127.0.0.1 is free.")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
