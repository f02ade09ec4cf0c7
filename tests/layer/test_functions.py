"""The functions as Lambda runs them: a process of their own, `handler(event, context)`, one after
another, with settings from the environment."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from local.stores import Postgres, Valkey
from tests.conftest import CODE_KEYS, Rows
from tests.layer.runtime import Lambda

SHOPPER = "canary-buyer"


@pytest.fixture(scope="module")
def environment(
    postgres: Postgres, valkey: Valkey, run_sql: Callable[..., Rows]
) -> Iterator[dict[str, str]]:
    """Settings of a service on an empty database, not migrated yet, and an empty Redis."""
    run_sql("create database functions")
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        yield {
            "REDIS_ADDR": valkey.address,
            "REDIS_PASSWORD": valkey.password,
            "DB_HOST": postgres.host,
            "DB_PORT": str(postgres.port),
            "DB_USER": postgres.user,
            "DB_PASSWORD": postgres.password,
            "DB_NAME": "functions",
            "CODE_KEYS": CODE_KEYS,
            "SALE_SECONDS": "86400",
            "ITEMS_PER_SALE": "500",
            "ROUTES": "POST /checkout, GET /items",
        }
        assert all(client.ttl(key) > 0 for key in client.scan_iter())
    run_sql("drop database functions with (force)")


@pytest.fixture(scope="module")
def deployed(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lambda]:
    """After a deployment: migrated, and the first sale opened by the schedule."""
    made = Lambda(environment, tmp_path_factory.mktemp("logs") / "log")
    (first, *_) = made.invoke("migrate", {})["result"]["applied"]
    assert first == "0001_ledger.sql"
    (sale, *_) = made.invoke("create_sale", {"source": "aws.scheduler"})["result"]["sales"]
    assert sale.startswith("sale_")
    yield made
    made.end()


@pytest.fixture(scope="module")
def deserted_lambda(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lambda]:
    """Both stores are away: nothing listens on port 1."""
    away = {**environment, "REDIS_ADDR": "127.0.0.1:1", "DB_PORT": "1"}
    made = Lambda(away, tmp_path_factory.mktemp("logs") / "log")
    yield made
    made.end()


def test_an_item_is_checked_out_bought_and_counted(deployed: Lambda) -> None:
    query = f"user_id={SHOPPER}&id=7"
    status, told, _ = deployed.request("checkout", "POST /checkout", query)
    assert (status, told["success"]) == (200, True)
    assert told["message"] == "Checkout session created successfully"
    code = f"code={told['checkout_code']}"
    status, bought, _ = deployed.request("purchase", "POST /purchase", code)
    assert (status, bought["success"]) == (200, True)
    assert bought["purchase_id"].startswith("purchase_")
    assert deployed.request("purchase", "POST /purchase", code)[:2] == (200, bought)
    status, told, _ = deployed.request("stats", "GET /stats")
    assert told["stats"]["items_sold"] == "1"
    assert told["stats"]["current_inventory"] == "499"
    assert told["stats"]["total_items"] == "500"
    assert told["sale_id"].startswith(f"sale_{told['stats']['start_time']}_")
    status, told, _ = deployed.request("checkout", "POST /checkout", query)
    assert (status, told["error"], told["message"]) == (409, "sold_out", "item sold out")
    text = deployed.log.read_text()
    assert SHOPPER not in text
    assert code.removeprefix("code=") not in text


def test_an_event_of_the_rest_api_is_answered_alike(deployed: Lambda) -> None:
    event = {
        "resource": "/checkout",
        "path": "/checkout",
        "httpMethod": "POST",
        "multiValueQueryStringParameters": {"user_id": ["rest"], "id": ["8"]},
        "requestContext": {"requestId": "rest-1", "identity": {"sourceIp": "203.0.113.9"}},
        "body": None,
    }
    told = deployed.invoke("checkout", event)["result"]
    assert told["statusCode"] == 200
    assert json.loads(told["body"])["checkout_code"]
    line = next(line for line in deployed.lines() if line.get("request_id") == "rest-1")
    assert (line["route"], line["outcome"]) == ("POST /checkout", "ok")


def test_items_are_listed_described_and_drawn(deployed: Lambda) -> None:
    status, told, _ = deployed.request("items", "GET /items", "after=497&limit=2")
    assert (status, [item["id"] for item in told["items"]]) == (200, [498, 499])
    assert told["next"] == 499
    assert deployed.request("items", "GET /items", "after=500")[1]["next"] is None
    parameters: dict[str, Any] = {"pathParameters": {"id": "9"}}
    status, told, _ = deployed.request("items", "GET /items/{id}", **parameters)
    assert (status, told["item"]["id"], told["item"]["sold"]) == (200, 9, False)
    query = told["item"]["image"].partition("?")[2]
    status, told, headers = deployed.request(
        "picture", "GET /items/{id}/image", query, **parameters
    )
    assert (status, told["text"][:4]) == (200, "<svg")
    assert headers["content-type"] == "image/svg+xml"
    assert "immutable" in headers["cache-control"]
    seen: dict[str, Any] = {"headers": {"if-none-match": headers["etag"]}}
    status, told, _ = deployed.request(
        "picture", "GET /items/{id}/image", query, **parameters, **seen
    )
    assert (status, told["text"]) == (304, "")


@pytest.mark.parametrize(
    ("name", "route", "query", "more", "status", "error"),
    [
        ("checkout", "POST /checkout", "user_id=a&id=01", {}, 400, "malformed"),
        ("checkout", "POST /checkout", "user_id=a&id=1", {"body": "x"}, 413, "too_large"),
        ("checkout", "POST /checkout", "x" * 600, {}, 414, "too_long"),
        ("checkout", "POST /checkout", "user_id=a&id=501", {}, 404, "unknown_item"),
        ("purchase", "POST /purchase", "code=" + "x" * 80, {}, 400, "invalid_code"),
        ("items", "GET /items/{id}", "", {"pathParameters": {"id": "x"}}, 404, "unknown_item"),
        ("items", "GET /items", "limit=0", {}, 400, "malformed"),
        ("stats", "GET /stats", "a=1", {}, 400, "malformed"),
        ("picture", "GET /items/{id}/image", "", {"pathParameters": {"id": "501"}}, 404,
         "unknown_item"),
        ("unrouted", "GET /checkout", "a=1&a=2", {}, 405, "method_not_allowed"),
        ("unrouted", "GET /nowhere", "", {"body": "x"}, 404, "not_found"),
    ],
)  # fmt: skip
def test_what_can_t_be_granted_is_refused_in_one_shape(
    deployed: Lambda,
    name: str,
    route: str,
    query: str,
    more: dict[str, Any],
    status: int,
    error: str,
) -> None:
    told_status, told, _ = deployed.request(name, route, query, **more)
    assert (told_status, told["success"], told["error"]) == (status, False, error)
    assert set(told) == {"success", "error", "message"}


def test_health_tells_that_this_database_may_lose_sales(deployed: Lambda) -> None:
    """The tests' PostgreSQL runs without fsync, which is what /health is for."""
    status, told, _ = deployed.request("health", "GET /health")
    assert (status, told["success"]) == (503, False)
    assert told["checks"]["redis"]["status"] == "up"
    assert told["checks"]["postgres"]["status"] == "unsafe"
    assert "fsync" in told["checks"]["postgres"]["problems"][0]


def test_schedules_may_fire_again_and_change_nothing(deployed: Lambda) -> None:
    first = deployed.invoke("create_sale", {})
    assert deployed.invoke("create_sale", {}) == first
    assert deployed.invoke("migrate", {})["result"] == {"applied": []}
    assert deployed.invoke("reconcile", {})["result"] == {"confirmed": 0, "released": 0}
    assert deployed.invoke("persist_attempts", {})["result"] == {"moved": 0, "dead": 0}


def test_each_request_is_one_line_of_known_fields(deployed: Lambda) -> None:
    asked = (
        ("stats", "GET /stats", "", 200, "ok"),
        ("checkout", "POST /checkout", f"user_id={SHOPPER}&id=0", 404, "unknown_item"),
        ("purchase", "POST /purchase", "code=canary-code", 400, "invalid_code"),
    )
    before = len(deployed.lines())
    for name, route, query, _, _ in asked:
        deployed.request(name, route, query)
    lines = [line for line in deployed.lines()[before:] if line["message"] == "request"]
    told = [(line["route"], line["status"], line["outcome"]) for line in lines]
    assert told == [(route, status, outcome) for _, route, _, status, outcome in asked]
    for line, (name, *_) in zip(lines, asked, strict=True):
        assert set(line) == {
            "level", "message", "timestamp", "service", "route", "status", "outcome",
            "latency_ms", "request_id",
        }  # fmt: skip
        assert line["latency_ms"] > 0
        assert line["request_id"] == f"id-{name}"


def test_no_line_tells_a_buyer_a_code_or_a_secret(
    deployed: Lambda, deserted_lambda: Lambda, environment: dict[str, str]
) -> None:
    """Whatever went wrong: two stores away, an event that is none."""
    for process in (deployed, deserted_lambda):
        process.request("checkout", "POST /checkout", f"user_id={SHOPPER}&id=9")
        process.request("purchase", "POST /purchase", "code=canary-code")
        process.request("health", "GET /health")
        process.invoke("unrouted", {"routeKey": "$default", "canary": SHOPPER})
        text = process.log.read_text()
        assert text
        for secret in (
            SHOPPER, "canary", CODE_KEYS.removeprefix("1:"), environment["DB_PASSWORD"],
            environment["REDIS_PASSWORD"],
        ):  # fmt: skip
            assert secret not in text


def test_an_event_that_is_none_of_ours_is_our_error_and_tells_nothing(deployed: Lambda) -> None:
    response = deployed.invoke("unrouted", {"routeKey": "$default"})["result"]
    assert response["statusCode"] == 500
    assert json.loads(response["body"]) == {
        "success": False,
        "error": "internal",
        "message": "internal error",
    }
    unexpected = [line for line in deployed.lines() if line.get("message") == "unexpected"]
    assert "rawPath" in unexpected[-1]["exception"]
    assert deployed.request("stats", "GET /stats")[0] == 200


def test_without_its_stores_it_says_try_again_and_schedules_fail(deserted_lambda: Lambda) -> None:
    for name, route, query in (
        ("checkout", "POST /checkout", "user_id=a&id=1"),
        ("stats", "GET /stats", ""),
        ("health", "GET /health", ""),
    ):
        status, told, headers = deserted_lambda.request(name, route, query)
        assert (status, told["success"], told["error"]) == (503, False, "unavailable")
        assert int(headers["retry-after"]) >= 1
    for name in ("create_sale", "reconcile", "migrate"):
        assert deserted_lambda.invoke(name, {})["raised"] == "StoreDown"


def test_wrong_keys_are_an_internal_error_and_are_not_logged(
    environment: dict[str, str], tmp_path: Path
) -> None:
    process = Lambda({**environment, "CODE_KEYS": "1:canary"}, tmp_path / "log")
    status, told, _ = process.request("stats", "GET /stats")
    assert (status, told["error"]) == (500, "internal")
    assert "CODE_KEYS" in process.log.read_text()
    assert "canary" not in process.log.read_text()
    process.end()
