"""Each function has a sample event in events/, and takes it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flashsale.codes import CodeSigner
from flashsale.rotation import rotate

from local.stores import Postgres, Valkey
from tests.cloud.stack import ROOT
from tests.conftest import CODE_KEYS, Rows
from tests.layer.aws import secrets_manager_of_its_own
from tests.layer.runtime import Lambda

FUNCTIONS = sorted(file.parent.name for file in ROOT.glob("functions/*/app.py"))
REQUESTS = ("checkout", "items", "picture", "single", "stats", "storefront")
RUNS = ("audit", "create_sale", "persist_attempts", "reconcile")


def event(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ROOT / f"events/{name}.json").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def deployed(
    postgres: Postgres,
    valkey: Valkey,
    run_sql: Callable[..., Rows],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Lambda]:
    """All functions, on an empty database that the first event has migrated."""
    run_sql("create database events")
    environment = {
        "REDIS_ADDR": valkey.address,
        "REDIS_PASSWORD": valkey.password,
        "DB_HOST": postgres.host,
        "DB_PORT": str(postgres.port),
        "DB_USER": postgres.user,
        "DB_PASSWORD": postgres.password,
        "DB_NAME": "events",
        "CODE_KEYS": CODE_KEYS,
    }
    made = Lambda(environment, tmp_path_factory.mktemp("events") / "log")
    assert made.invoke("migrate", event("migrate"))["result"]["applied"]
    yield made
    made.end()
    run_sql("drop database events with (force)")


def test_each_function_has_one_and_there_are_no_others() -> None:
    assert sorted(path.stem for path in ROOT.glob("events/*.json")) == FUNCTIONS
    known = {*REQUESTS, *RUNS, "migrate", "purchase", "health", "unrouted", "rotate_keys"}
    assert known == set(FUNCTIONS)


@pytest.mark.parametrize("name", RUNS)
def test_a_schedule_s_event_is_taken(deployed: Lambda, name: str) -> None:
    assert "result" in deployed.invoke(name, event(name))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_s_event_is_answered(deployed: Lambda, name: str) -> None:
    assert deployed.invoke(name, event(name))["result"]["statusCode"] == 200


def test_a_purchase_s_event_wants_a_code(deployed: Lambda) -> None:
    """The sample's own can't be a good one: it would have to be signed by your key."""
    sample = event("purchase")
    assert deployed.invoke("purchase", sample)["result"]["statusCode"] == 400
    checkout = deployed.invoke("checkout", event("checkout"))["result"]
    code = json.loads(checkout["body"])["checkout_code"]
    assert CodeSigner.parse(CODE_KEYS).read(code).item == 42
    sample["rawQueryString"] = f"code={code}"
    assert deployed.invoke("purchase", sample)["result"]["statusCode"] == 200


def test_health_and_unrouted_answer_what_they_should(deployed: Lambda) -> None:
    told = deployed.invoke("health", event("health"))["result"]
    assert set(json.loads(told["body"])["checks"]) == {"redis", "postgres"}
    assert deployed.invoke("unrouted", event("unrouted"))["result"]["statusCode"] == 404


def test_the_single_function_answers_as_the_function_itself(deployed: Lambda) -> None:
    """Event and answer go through untouched."""
    for name in ("checkout", "items", "picture", "stats", "unrouted", "storefront"):
        through = deployed.invoke("single", event(name))["result"]
        itself = deployed.invoke(name, event(name))["result"]
        assert through["statusCode"] == itself["statusCode"]
        assert through["headers"] == itself["headers"]
        if name != "checkout":  # whose code is another one each time
            assert through["body"] == itself["body"]


async def test_a_rotation_s_event_is_taken() -> None:
    sample = event("rotate_keys")
    with secrets_manager_of_its_own() as client:
        sample["SecretId"] = client.create_secret(Name="keys", SecretString=CODE_KEYS)["ARN"]
        assert await rotate(sample) == "createSecret"


def test_they_say_nothing_of_anybody() -> None:
    """Addresses are those that RFC 5737 keeps for documentation, accounts are AWS's own example."""
    for path in ROOT.glob("events/*.json"):
        text = Path(path).read_text(encoding="utf-8")
        assert "203.0.113.7" in text or "sourceIp" not in text
        assert "123456789012" in text or "accountId" not in text
