"""`flashsale doctor`: each thing that can be wrong is found, and named with its remedy."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.doctor import install, machine, service
from local.doctor.finding import Finding
from tests.local.running import COMMAND, free_port

Doctor = Callable[..., dict[str, Any]]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """Runs it with a data folder of the test's own; what it says, with its status."""

    def examine(**environment: str) -> dict[str, Any]:
        own = {"DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port())}
        told = subprocess.run(
            [*COMMAND, "doctor", "--json"],
            env={**os.environ, **own, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.stderr == ""
        found = json.loads(told.stdout)
        assert told.returncode == (0 if found["healthy"] else 1)
        return {check["name"]: check for check in found["checks"]} | {"": found["healthy"]}

    return examine


def test_a_machine_that_runs_these_tests_can_run_the_service(doctor: Doctor) -> None:
    found = doctor()
    assert found.pop("")
    assert {"python", "packages", "valkey", "postgres", "settings", "port"} <= found.keys()
    assert not [check for check in found.values() if check["state"] == "fail"]
    assert not [
        check for check in found.values() if (check["state"] == "ok") == bool(check["remedy"])
    ]


def test_a_setting_out_of_bounds_fails_by_name(doctor: Doctor) -> None:
    found = doctor(WORKERS="1000")
    assert not found[""]
    assert found["settings"]["state"] == "fail"
    assert "WORKERS is '1000'" in found["settings"]["detail"]


@pytest.mark.parametrize(
    ("setting", "value"), [("GATEWAY_HEADERS", "many"), ("FUNCTION_RUNTIME", "remote")]
)
def test_settings_of_the_local_gateway_count_too(doctor: Doctor, setting: str, value: str) -> None:
    found = doctor(**{setting: value})
    assert found["settings"]["state"] == "fail"
    assert setting in found["settings"]["detail"]


def test_more_connections_than_files_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway would refuse to start."""
    monkeypatch.setattr("local.doctor.machine.resource.getrlimit", lambda which: (256, 1_000))
    assert machine.open_files({"GATEWAY_CONNECTIONS": "1000"}).state == "fail"
    assert machine.open_files({"GATEWAY_CONNECTIONS": "500"}).state == "ok"


def test_a_taken_port_fails_with_another_one(doctor: Doctor) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = doctor(PORT=str(port))
    assert found["port"]["state"] == "fail"
    assert found["port"]["remedy"] == f"PORT={port + 1} flashsale up"


def test_a_server_that_is_named_must_answer(doctor: Doctor) -> None:
    nobody = free_port()
    found = doctor(REDIS_ADDR=f"127.0.0.1:{nobody}", DB_HOST="127.0.0.1", DB_PORT=str(nobody))
    assert [found[name]["state"] for name in ("redis", "postgres")] == ["fail", "fail"]
    assert "valkey" not in found  # ours is not needed then


def test_processes_left_of_an_earlier_run_are_named(doctor: Doctor, tmp_path: Path) -> None:
    """A store that goes on without its supervisor keeps the folder's lock."""
    folder = tmp_path / "data" / "valkey"
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as held:
        held.write("4711")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        found = doctor()
    assert found["processes"]["state"] == "fail"
    assert found["processes"]["remedy"].startswith("kill 4711")


def test_a_data_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("")
    assert service.data(file).state == "fail"
    assert service.data(tmp_path).state == "ok"
    assert service.data(tmp_path / "new" / "deep").state == "ok"


def test_packages_are_held_against_the_lock_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing one and another version fail; one for other systems doesn't count."""
    locked = tmp_path / "requirements.txt"
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "LOCKED", locked)
    locked.write_text(
        "click==0.1 \\\n    --hash=sha256:00\n"
        "no-such-package==1.0 \\\n    --hash=sha256:00\n"
        "only-elsewhere==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
    )
    found = install.packages()
    assert found.state == "fail"
    assert "click is " in found.detail
    assert "no-such-package is missing" in found.detail
    assert "elsewhere" not in found.detail
    locked.unlink()
    assert install.packages().state == "ok"


def test_env_is_read_for_typing_errors_and_open_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ROOT", tmp_path)
    file = tmp_path / ".env"
    file.write_text("REDIS_ADRR=here:1\nAWS_REGION=eu-central-1\nDB_PASSWORD=secret\n")
    file.chmod(0o644)
    found = list(service.env_file())
    assert [finding.state for finding in found] == ["warn", "warn", "ok"]
    assert "REDIS_ADDR" in found[0].remedy
    assert "chmod 600" in found[1].remedy
    file.write_text("PORT=8080\n")
    assert [finding.state for finding in service.env_file()] == ["ok"]


@pytest.mark.parametrize(
    ("limit", "state"), [(machine.DISK_MIB, "warn"), (machine.DISK_MIB_LEAST, "fail")]
)
def test_a_disk_that_is_nearly_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: int, state: str
) -> None:
    def free(mib: int) -> Finding:
        usage = type("Usage", (), {"free": mib << 20})
        monkeypatch.setattr("local.doctor.machine.shutil.disk_usage", lambda path: usage)
        return machine.disk(tmp_path)

    assert free(limit - 1).state == state
    assert free(limit).state != state


def test_a_clock_before_the_checkout_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.doctor.machine.time.time", lambda: 1_000_000_000.0)
    assert machine.clock().state == "fail"


def test_programs_that_do_not_run_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "valkey-server"
    broken.write_text("#!/bin/sh\necho wrong libraries >&2; exit 127\n")
    broken.chmod(0o755)
    monkeypatch.setattr(install, "valkey_server", lambda: broken)
    found = {
        finding.name: finding for finding in install.store_programs({"DB_HOST": "x"}, tmp_path)
    }
    assert found["valkey"].state == "fail"
    assert "wrong libraries" in found["valkey"].detail


def test_tools_for_some_tasks_only_warn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {finding.state for finding in install.tools()} == {"warn"}
    tool = tmp_path / "aws"
    tool.write_text(f"#!{sys.executable}\nprint('aws-cli/2')\n")
    tool.chmod(0o755)
    assert {finding.name: finding.state for finding in install.tools()}["aws"] == "ok"
