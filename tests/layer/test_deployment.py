"""Migrations as a custom resource: CloudFormation hears how it went, whatever happened."""

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from flashsale.deployment import deployed
from flashsale.errors import StoreDown


class Ear:
    """Hears what is put to its address, as a bucket of CloudFormation's does."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str | None, dict[str, Any]]] = []
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                ear.heard.append((self.path, self.headers["content-type"], json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Into no log."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def event(ear: Ear, kind: str) -> dict[str, str]:
    return {
        "RequestType": kind,
        "ResponseURL": f"http://127.0.0.1:{ear.server.server_port}/answer?signed=yes",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Migration",
        "ResourceType": "Custom::Migration",
    }


async def migrate() -> Mapping[str, Any]:
    return {"applied": ["0001_ledger.sql"]}


@pytest.mark.parametrize("kind", ["Create", "Update"])
async def test_cloudformation_hears_that_it_went_well(ear: Ear, kind: str) -> None:
    told = await deployed(event(ear, kind), migrate)
    assert told == {"status": "SUCCESS", "applied": ["0001_ledger.sql"]}
    ((path, kind_of_body, answer),) = ear.heard
    assert (path, kind_of_body) == ("/answer?signed=yes", "")
    assert answer == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": "Migration",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Migration",
    }


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StoreDown("migration 0002.sql was refused"), "migration 0002.sql was refused"),
        (ValueError("canary"), "ValueError"),
    ],
)
async def test_cloudformation_hears_that_it_failed_and_why(
    ear: Ear, error: Exception, reason: str
) -> None:
    """What we don't know is named, and not quoted: it may hold anything."""

    async def fail() -> Mapping[str, Any]:
        raise error

    assert await deployed(event(ear, "Update"), fail) == {"status": "FAILED"}
    ((_, _, answer),) = ear.heard
    assert (answer["Status"], answer["Reason"]) == ("FAILED", reason)


async def test_taking_the_stack_away_changes_no_table(ear: Ear) -> None:
    async def fail() -> Mapping[str, Any]:
        raise AssertionError("asked to migrate")

    assert await deployed(event(ear, "Delete"), fail) == {"status": "SUCCESS"}
    assert [answer["Status"] for _, _, answer in ear.heard] == ["SUCCESS"]


async def test_who_invokes_it_by_hand_gets_the_result_or_the_fault() -> None:
    async def fail() -> Mapping[str, Any]:
        raise StoreDown("away")

    assert await deployed({}, migrate) == {"applied": ["0001_ledger.sql"]}
    with pytest.raises(StoreDown):
        await deployed({}, fail)
