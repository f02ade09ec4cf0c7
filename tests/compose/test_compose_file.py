"""docker-compose.yml and what it mounts, read and held against what it promises. No Docker."""

import ast
import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from flashsale.config import Settings

from local.bounds import Bounds, variable
from local.stores.valkey import OPTIONS
from tests.compose.conftest import INFRA, ROOT

OURS = ("gateway", "scheduler", "migrate", "passwords", "setup")
ONCE = ("migrate", "passwords")
DEV = ("redis-commander", "pgadmin")
# What compose decides, or what only a machine without it has; the addresses of others count for
# nobody behind the front.
DECIDED = {
    "redis_addr": "redis:6379",
    "redis_secret": "flashsale/redis",
    "db_host": "postgres",
    "db_name": "flashsale",
    "db_secret": "flashsale/postgres",
    "code_keys_secret": "flashsale/code-keys",
}
LEFT_OUT = {
    "redis_username", "redis_password", "redis_tls", "redis_persistence", "db_port", "db_user",
    "db_password", "db_sslmode", "code_keys", "rate_address", "rate_address_burst", "log_file",
    "host", "port", "workers", "data_dir", "routes", "service_name",
    "aws_lambda_function_name",
}  # fmt: skip
SETTINGS = {field.name for field in fields(Settings)}


class _Merging(yaml.SafeLoader):
    """YAML with `<<`, as Compose reads it."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yml").read_text()
    read: dict[str, Any] = yaml.load(text, Loader=_Merging)  # noqa: S506 - a safe loader
    return read


@pytest.fixture(scope="module")
def services(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["services"]
    return found


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    for name, service in services.items():
        _, _, tag = service["image"].rpartition(":")
        assert re.match(r"\d+\.\d+", tag), f"{name} takes whatever {service['image']} is today"
    assert services["localstack"]["image"] == "localstack/localstack:4.14.0"


def test_one_image_runs_everything_of_ours(services: dict[str, Any]) -> None:
    assert {services[name]["image"] for name in OURS} == {"flashsale:0.1.0"}
    assert [name for name in services if "build" in services[name]] == ["gateway"]
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert services["gateway"]["image"] == f"flashsale:{version[1]}"


@pytest.mark.parametrize("name", [*OURS, "front", "redis", "postgres"])
def test_a_container_can_do_no_more_than_its_work(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]


def test_nothing_runs_as_root_that_need_not(services: dict[str, Any]) -> None:
    assert (services["redis"]["user"], services["postgres"]["user"]) == ("valkey", "postgres")
    assert "USER 10001:10001" in (INFRA / "Dockerfile").read_text()
    for service in services.values():
        assert not service.get("privileged")
        assert "/var/run/docker.sock" not in json.dumps(service.get("volumes", []))


def test_whatever_stays_has_a_health_check_and_comes_back(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name in ONCE:
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped", name
        assert "healthcheck" in service or name in DEV, name


def test_whatever_ends_is_waited_for_by_somebody_who_stays(services: dict[str, Any]) -> None:
    """Else `up --wait` takes its end for a failure."""
    for name in ONCE:
        waits = [
            other
            for other, service in services.items()
            if service.get("depends_on", {}).get(name, {}).get("condition")
            == "service_completed_successfully"
        ]
        assert set(waits) - set(ONCE), name


def test_nobody_is_served_before_the_database_is_ready_for_it(services: dict[str, Any]) -> None:
    waits = services["gateway"]["depends_on"]
    assert {name: how["condition"] for name, how in waits.items()} == {
        "redis": "service_healthy",
        "postgres": "service_healthy",
        "setup": "service_healthy",
        "migrate": "service_completed_successfully",
        "scheduler": "service_healthy",
    }
    assert services["front"]["depends_on"] == {"gateway": {"condition": "service_healthy"}}


def test_only_the_front_is_reached_from_outside(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {
        "front": ["${HOST:-0.0.0.0}:${PORT:-8080}:8080"],
        "redis-commander": ["127.0.0.1:8081:8081"],
        "pgadmin": ["127.0.0.1:8082:80"],
    }


def test_the_stores_alone_are_reached_from_this_machine_only() -> None:
    told = yaml.safe_load((INFRA / "ports.yml").read_text())["services"]
    assert {name: service["ports"] for name, service in told.items()} == {
        "redis": ["127.0.0.1:${REDIS_PORT:-6379}:6379"],
        "postgres": ["127.0.0.1:${DB_PORT:-5432}:5432"],
    }


def test_the_networks_let_nobody_meet_who_need_not(
    document: dict[str, Any], services: dict[str, Any]
) -> None:
    networks = document["networks"]
    assert {name for name, network in networks.items() if not (network or {}).get("internal")} == {
        "edge"
    }
    members = {
        network: {name for name in services if network in services[name].get("networks", [])}
        for network in networks
    }
    assert members == {
        "edge": {"front", *DEV},
        "shop": {"front", "gateway"},
        "stores": {"gateway", "scheduler", "migrate", "redis", "postgres", *DEV},
        "cloud": {"gateway", "scheduler", "migrate", "setup", "localstack"},
    }


def test_the_development_tools_are_as_documented(services: dict[str, Any]) -> None:
    assert [name for name in services if "profiles" in services[name]] == list(DEV)
    assert all(services[name]["profiles"] == ["dev"] for name in DEV)
    told = services["pgadmin"]["environment"]
    assert told["PGADMIN_DEFAULT_EMAIL"] == "admin@flashsale.com"
    assert told["PGADMIN_DEFAULT_PASSWORD"] == "admin"
    (server,) = json.loads((INFRA / "postgres/pgadmin.json").read_text())["Servers"].values()
    assert (server["Host"], server["Username"]) == ("postgres", "flashsale_read")


@pytest.mark.parametrize("name", ["gateway", "scheduler", "migrate"])
def test_every_setting_is_passed_on_or_decided(services: dict[str, Any], name: str) -> None:
    environment = services[name]["environment"]
    told = {key.lower(): value for key, value in environment.items() if key.lower() in SETTINGS}
    decided = {key: value for key, value in told.items() if value is not None}
    expected = dict(DECIDED)
    if name == "migrate":
        expected["db_secret"] = "flashsale/postgres-owner"
    assert {key: value for key, value in decided.items() if key not in LEFT_OUT} == expected
    passed = {key for key, value in told.items() if value is None}
    assert passed == SETTINGS - set(DECIDED) - LEFT_OUT


@pytest.mark.parametrize("name", ["gateway", "scheduler", "migrate", "setup"])
def test_no_password_is_in_the_environment(services: dict[str, Any], name: str) -> None:
    """LocalStack takes any access key, and so it is none."""
    secret = [
        key
        for key, value in services[name]["environment"].items()
        if re.search("PASSWORD|KEYS|SECRET", key) and not str(value).startswith("flashsale/")
    ]
    assert secret == ["AWS_SECRET_ACCESS_KEY"]


def test_every_line_of_the_example_is_a_variable_that_somebody_reads() -> None:
    example = (ROOT / ".env.example").read_text()
    names = re.findall(r"^#([A-Z_]+)=(.*)$", example, re.MULTILINE)
    compose = (ROOT / "docker-compose.yml").read_text()
    bounds = {variable(field.name) for field in fields(Bounds)}
    known = {name.upper() for name in SETTINGS} | bounds
    known |= set(re.findall(r"\$\{([A-Z_]+)", compose))
    assert {name for name, _ in names} <= known
    passed = re.findall(r"^  ([A-Z_]+):$", compose, re.MULTILINE)
    assert {*passed, *re.findall(r"\$\{([A-Z_]+)", compose)} <= {name for name, _ in names}
    defaults = Settings()
    for name, value in names:
        if value and name.lower() in SETTINGS and not name.startswith(("DB_", "REDIS_ADDR")):
            assert str(getattr(defaults, name.lower())) == value, name


def test_the_gate_keeps_what_it_was_told_as_the_one_of_flashsale_up_does() -> None:
    lines = (INFRA / "valkey/valkey.conf").read_text().splitlines()
    told = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    for name in ("maxmemory-policy", "appendonly", "appendfsync", "maxmemory"):
        assert told[name] == OPTIONS[name]
    assert told["save"] == '""'


@pytest.mark.parametrize(
    "answer", sorted((INFRA / "haproxy/answers").iterdir()), ids=lambda f: f.name
)
def test_the_fronts_own_answers_have_the_shops_shape(answer: Path) -> None:
    head, _, body = answer.read_bytes().partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    told = dict(header.split(": ", 1) for header in headers)
    code = int(status.split()[1])
    assert int(told["Content-Length"]) == len(body)
    assert told["Content-Type"] == "application/json"
    assert json.loads(body).keys() == {"success", "error", "message"}
    assert json.loads(body)["success"] is False
    assert ("Retry-After" in told) == (code in (429, 503))


def test_the_front_says_everything_in_the_shops_words() -> None:
    cfg = (INFRA / "haproxy/haproxy.cfg").read_text()
    answers = dict(re.findall(r"errorfile (\d+) \S*/answers/(\S+)", cfg))
    assert set(answers.values()) == {file.name for file in (INFRA / "haproxy/answers").iterdir()}
    # What was sent and not answered may have happened.
    assert answers["502"] == answers["504"] == "unknown.http"
    assert re.search(r"disable-l7-retry unless METH_GET or \{ path /purchase /checkout \}", cfg)


def test_the_front_waits_longer_than_any_function_may_take() -> None:
    cfg = (INFRA / "haproxy/haproxy.cfg").read_text()
    (seconds,) = re.findall(r"timeout server (\d+)s", cfg)
    template = (ROOT / "template.yaml").read_text()
    (limit,) = re.findall(r"^    Timeout: (\d+)$", template, re.MULTILINE)
    assert int(seconds) > int(limit)


def test_the_image_has_every_package_that_its_programs_import() -> None:
    """Names of the modules that are imported from the tree that is copied, and their packages."""
    locked = {
        line.partition("==")[0].replace("_", "-")
        for line in (ROOT / "requirements/compose.txt").read_text().splitlines()
        if re.match(r"[a-z0-9]", line)
    }
    code = """
import sys
for name in sys.argv[1:]:
    __import__(name)
import importlib.metadata
owners = importlib.metadata.packages_distributions()
print(" ".join({owner for name in list(sys.modules) for owner in owners.get(name, ())}))
"""
    programs = ["local.serve", "local.scheduler", "local.deploy", "local.cli", "uvloop"]
    programs += ["infra.compose.passwords", "infra.compose.cloud", "flashsale.bootstrap", "boto3"]
    told = subprocess.run(
        [sys.executable, "-c", code, *programs],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    needed = {owner.lower().replace("_", "-") for owner in told.stdout.split()}
    assert "uvicorn" in needed
    # botocore takes certifi where it finds it, and does without.
    assert needed - {"flashsale", "certifi"} <= locked


def test_the_image_takes_nothing_that_the_list_does_not_name() -> None:
    """Everything is left out first; what is let in is what the Dockerfile copies."""
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in ignore if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {line[1:].removesuffix("/*.py") for line in rules if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(\S+) ", (INFRA / "Dockerfile").read_text(), re.MULTILINE)
    assert {path for path in let_in if path != "infra/compose/valkey"} == set(copied)


def test_what_runs_in_a_container_is_a_module_that_there_is(services: dict[str, Any]) -> None:
    for name in OURS:
        (module,) = services[name].get("command", ["local.serve"])
        file = ROOT / f"{module.replace('.', '/')}.py"
        assert 'if __name__ == "__main__"' in file.read_text()
        ast.parse(file.read_text())
