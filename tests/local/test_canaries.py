"""Secrets and names planted as canaries: they turn up nowhere they don't belong."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from local.stores import Postgres, Valkey
from tests.local.running import Running, free_port

KEY = "ca11a4" * 11
BUYER = "canary-buyer@example.com"


def test_no_log_error_or_process_list_tells_a_secret_a_code_or_a_buyer(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    service = Running(folder, free_port(), CODE_KEYS=f"1:{KEY}", LOG_LEVEL="DEBUG")
    told: list[str] = []
    try:
        told.append(service.until_up())
        secrets = [KEY, BUYER, *passwords(folder)]
        assert len(secrets) == 4
        for item in (1, 2):
            code = service.call("POST", f"/checkout?user_id={BUYER}&id={item}")["checkout_code"]
            secrets.append(code)
            service.call("POST", f"/purchase?code={code}")
            told.append(
                refused(service, f"/purchase?code={code[:-1]}{'A' if code[-1] != 'A' else 'B'}")
            )
            told.append(refused(service, f"/checkout?user_id={BUYER}&id={item}"))
            told.append(refused(service, f"/checkout?user_id={BUYER}&user_id={KEY}&id={item}"))
        told.append(service.command("audit", "--json").stdout)
        lines = [
            " ".join(each.cmdline())
            for each in [psutil.Process(service.process.pid), *service.family()]
        ]
        assert any("local.serve" in line for line in lines)
        told += lines
        # While PostgreSQL is away functions have faults to tell of.
        for process in service.family():
            if "postgres" in process.name():
                process.kill()
        told.append(refused(service, f"/purchase?code={code}", among=(200, 503)))
        assert service.end() == 0
    finally:
        if service.process.poll() is None:
            service.end()
        if service.process.stdout:
            told.append(service.process.stdout.read())
            service.process.stdout.close()
        logs = sorted((folder / "logs").iterdir())
        told += [log.read_text() for log in logs]
        for store in (Valkey(folder / "valkey"), Postgres(folder / "postgres")):
            store.discard()
    assert sum(len(log) for log in told) > 5_000
    for line in (folder / "logs" / "flashsale.jsonl").read_text().splitlines():
        json.loads(line)
    for secret in secrets:
        assert not [text for text in told if secret in text], f"{secret!r} was told"


def passwords(folder: Path) -> list[str]:
    """Those of both stores, as they lie in files that nobody else may read."""
    files = [folder / "valkey" / "password", folder / "postgres" / "data" / "password"]
    for file in files:
        assert file.stat().st_mode & 0o077 == 0, file
    return [file.read_text() for file in files]


def refused(service: Running, path: str, among: tuple[int, ...] = (400, 409)) -> str:
    """The whole answer to a request that is not granted."""
    request = urllib.request.Request(service.url + path, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            status, body = int(answer.status), str(answer.read().decode())
            headers = str(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            status, body, headers = error.code, error.read().decode(), str(error.headers)
    assert status in among, body
    return headers + body
