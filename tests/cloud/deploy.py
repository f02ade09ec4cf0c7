"""Deploys the whole stack to a stand-in for AWS on this machine, MiniStack, and tries it:
`python -m tests.cloud.deploy --sam .../sam --ministack .../python`.

The stores are real ones of our own, as in Mode existing; their logins are secrets of the stand-in.
It makes the nested stacks, runs the migration as the custom resource that it is, runs the functions
as they were built, in processes of their own, and fires the schedules.
"""

import argparse
import json
import os
import platform
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import yaml
from botocore.config import Config  # type: ignore[import-untyped]

from local.stores import Postgres, Valkey
from tests.cloud.stack import ROOT, read

STACK, REGION = "flashsale-trial", "us-east-1"
READY_SECONDS, FIRED_SECONDS = 60, 150
# What MiniStack does not have, besides CodeDeploy and alarms that compute: traffic moves at once,
# and no key changes by itself.
MISSING = {"AWS::SecretsManager::RotationSchedule", "AWS::Budgets::Budget"}


class Cloud:
    """The stand-in: clients of its services, and the environment of who talks to it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": endpoint,
            "SAM_CLI_TELEMETRY": "0",
        }

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(read_timeout=150, retries={"max_attempts": 0}),
        )

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke what the alias points to, and return its result."""
        answer = self.client("lambda").invoke(
            FunctionName=f"{STACK}-{function}", Qualifier="live", Payload=json.dumps(event)
        )
        result = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise SystemExit(f"{function} failed: {result}")
        return result


@contextmanager
def stand_in(python: Path, folder: Path) -> Iterator[Cloud]:
    """MiniStack in a process of its own, on a free port."""
    port = _free_port()
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-m", "ministack"],
            env={
                **os.environ,
                "GATEWAY_PORT": str(port),
                "BIND_HOST": "127.0.0.1",
                "TMPDIR": str(folder),  # it leaves its copies of the functions behind
            },
            stdout=log,
            stderr=log,
        )
        try:
            cloud = Cloud(f"http://127.0.0.1:{port}")
            wait_until("MiniStack answers", READY_SECONDS, lambda: _answers(cloud.endpoint))
            yield cloud
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def stores(folder: Path) -> Iterator[tuple[Valkey, Postgres]]:
    """A Valkey and a PostgreSQL of the trial's own."""
    made = (Valkey(folder / "valkey"), Postgres(folder / "postgres"))
    for store in made:
        store.start()
    try:
        yield made
    finally:
        for store in made:
            store.discard()


def build(sam: Path, folder: Path, cloud: Cloud) -> Path:
    """Build for this machine's processor, from a template without what the stand-in lacks."""
    trial = ROOT / ".trial.yaml"  # beside what it refers to
    document = read(ROOT / "template.yaml")
    _without_missing(document)
    trial.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    try:
        run(
            cloud, sam, "build", "--template", trial, "--build-dir", folder / "built",
            "--no-cached", "--parameter-overrides", f"Architecture={_processor()}",
        )  # fmt: skip
    finally:
        trial.unlink()
    for nested in (folder / "built").rglob("*.yaml"):
        inner = read(nested)
        if _without_missing(inner):
            nested.write_text(yaml.safe_dump(inner, sort_keys=False), encoding="utf-8")
    return folder / "built/template.yaml"


def deploy(
    sam: Path, built: Path, cloud: Cloud, valkey: Valkey, postgres: Postgres
) -> dict[str, str]:
    """Create the stack; return its outputs."""
    secrets = {
        name: cloud.client("secretsmanager").create_secret(
            Name=f"trial/{name}", SecretString=json.dumps({"username": user, "password": password})
        )["ARN"]
        for name, user, password in (
            ("database", postgres.user, postgres.password),
            ("redis", "default", valkey.password),
        )
    }
    cloud.client("s3").create_bucket(Bucket="trial-artifacts")
    parameters = {
        "Mode": "existing",
        "Architecture": _processor(),
        "AttemptsMode": "stream",
        "DeploymentType": "AllAtOnce",
        "RedisAddr": valkey.address,
        "RedisSecret": secrets["redis"],
        "DbHost": postgres.host,
        "DbPort": str(postgres.port),
        "DbName": postgres.database,
        "DbSecret": secrets["database"],
    }
    run(
        cloud, sam, "deploy", "--template-file", built, "--stack-name", STACK,
        "--region", REGION, "--s3-bucket", "trial-artifacts", "--no-progressbar",
        "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND",
        "--no-confirm-changeset", "--config-env", "none", "--parameter-overrides",
        *(f"{name}={value}" for name, value in parameters.items()),
    )  # fmt: skip
    (stack,) = cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def try_out(cloud: Cloud, postgres: Postgres) -> None:
    """Invoke the functions, and wait for a schedule to fire."""
    tables = postgres_rows(postgres, "select count(*) from schema_migrations")
    say(f"migrated by the deployment: {tables[0][0]} migrations")
    say(f"create_sale: {cloud.invoke('create-sale', {})}")
    code = _checked_out(cloud, "user_id=ann&id=7")
    say(f"checkout: {code}")
    say(f"purchase: {_body(cloud.invoke('purchase', _request('POST /purchase', code)))}")
    say(f"again:    {_body(cloud.invoke('purchase', _request('POST /purchase', code)))}")
    codes = {"before": _checked_out(cloud, "user_id=bob&id=8")}
    rotate_keys(cloud, "1" * 32)
    codes["after"] = _checked_out(cloud, "user_id=bob&id=9")
    for name, one in codes.items():
        bought = _body(cloud.invoke("purchase", _request("POST /purchase", one)))
        say(f"bought by a code of {name} the rotation: {bought['purchase_id']}")
    say(f"stats:    {_body(cloud.invoke('stats', _request('GET /stats')))}")
    say(f"audit:    {cloud.invoke('audit', {})}")
    rows = postgres_rows(postgres, "select item, buyer, state from purchases order by item")
    if rows != [[7, "ann", "sold"], [8, "bob", "sold"], [9, "bob", "sold"]]:
        raise SystemExit(f"the ledger holds {rows}")
    kept = "select count(*) from attempts"
    wait_until(
        "the schedule has moved the attempts to PostgreSQL",
        FIRED_SECONDS,
        lambda: postgres_rows(postgres, kept) == [[3]],
    )


def rotate_keys(cloud: Cloud, version: str) -> None:
    """Do what Secrets Manager does monthly."""
    secret = f"{STACK}/code-keys"
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        event = {"Step": step, "SecretId": secret, "ClientRequestToken": version}
        cloud.invoke("rotate-keys", event)
    current = cloud.client("secretsmanager").get_secret_value(SecretId=secret)
    say(f"keys rotated: {', '.join(json.loads(current['SecretString']))} are live")


def postgres_rows(postgres: Postgres, statement: str) -> list[list[Any]]:
    import pg8000.native

    connection = pg8000.native.Connection(
        user=postgres.user,
        password=postgres.password,
        host=postgres.host,
        port=postgres.port,
        database=postgres.database,
    )
    try:
        return [list(row) for row in connection.run(statement) or ()]
    finally:
        connection.close()


def run(cloud: Cloud, *command: object) -> None:
    """Run a command that talks to the stand-in, and show what it says if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env=cloud.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} {command[1]} failed:\n{done.stdout}\n{done.stderr}")
    say(f"sam {command[1]}: done")


def wait_until(what: str, seconds: float, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.5)
    say(what)


def say(line: str) -> None:
    print(line, flush=True)


def _without_missing(document: dict[str, Any]) -> bool:
    """Take out what the stand-in lacks. True if there was any."""
    resources = document.get("Resources", {})
    gone = [
        name
        for name, one in resources.items()
        if one["Type"] in MISSING
        or (one["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in one["Properties"])
    ]
    for name in gone:
        del resources[name]
    functions = [document.get("Globals", {}).get("Function", {})]
    functions += [one.get("Properties", {}) for one in resources.values()]
    moved = [one.pop("DeploymentPreference", None) for one in functions]
    return bool(gone) or any(moved)


def _request(route: str, query: str = "") -> dict[str, Any]:
    method, _, path = route.partition(" ")
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": {},
        "requestContext": {"http": {"method": method, "path": path}, "requestId": "trial"},
        "isBase64Encoded": False,
    }


def _checked_out(cloud: Cloud, query: str) -> str:
    """Check an item out; return the query of its purchase."""
    told = _body(cloud.invoke("checkout", _request("POST /checkout", query)))
    return f"code={told['checkout_code']}"


def _body(response: Mapping[str, Any]) -> dict[str, Any]:
    if response["statusCode"] != 200:
        raise SystemExit(f"answered {response}")
    told: dict[str, Any] = json.loads(response["body"])
    return told


def _processor() -> str:
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sam", type=Path, required=True, help="sam's command")
    options.add_argument("--ministack", type=Path, required=True, help="Python that has MiniStack")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="flashsale-trial-") as name:
        folder = Path(name)
        with stores(folder) as (valkey, postgres), stand_in(asked.ministack, folder) as cloud:
            try:
                built = build(asked.sam, folder, cloud)
                for key, value in deploy(asked.sam, built, cloud, valkey, postgres).items():
                    say(f"{key}: {value}")
                try_out(cloud, postgres)
            except BaseException:
                log = (folder / "ministack.log").read_text(errors="replace").splitlines()
                say("\n".join(["MiniStack's last lines:", *log[-25:]]))
                raise


if __name__ == "__main__":
    main()
