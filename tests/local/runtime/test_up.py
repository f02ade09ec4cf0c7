"""`flashsale up --runtime lambda` and `flashsale invoke`, from outside."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local.environment import ROOT
from tests.local.running import Running, free_port


def eventually(condition: Callable[[], Any], seconds_max: float = 20) -> Any:
    deadline = time.monotonic() + seconds_max
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def environments(service: Running) -> list[psutil.Process]:
    return [each for each in service.family() if "awslambdaric" in " ".join(each.cmdline())]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("up") / "data"
    folder.mkdir()
    shared = ROOT / ".flashsale" / "build"  # the dependencies take a while to be installed
    shared.mkdir(parents=True, exist_ok=True)
    (folder / "build").symlink_to(shared)
    made = Running(
        folder,
        free_port(),
        FUNCTION_RUNTIME="lambda",
        FUNCTION_REPORT="on",
        ASYNC_RETRY_SECONDS="0",
    )
    made.until_up()
    yield made
    left = made.family()
    assert made.end() == 0
    assert made.process.stdout is not None
    made.process.stdout.close()
    assert not [each for each in left if each.is_running()]


def buy(service: Running, item: int) -> str:
    code = service.call("POST", f"/checkout?user_id=alice&id={item}")["checkout_code"]
    return str(service.call("POST", f"/purchase?code={code}")["purchase_id"])


def test_functions_run_in_processes_of_their_own_and_report(service: Running) -> None:
    assert buy(service, 1).startswith("purchase_")
    folders = {Path(each.cwd()).name for each in environments(service)}
    assert {"checkout", "purchase"} <= folders
    log = (service.folder / "logs" / "flashsale.jsonl").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    reports = [line for line in lines if line.get("message", "").startswith("REPORT")]
    assert {"CheckoutFunction", "PurchaseFunction"} <= {line["function"] for line in reports}


def test_environments_end_with_their_gateway_and_come_again(service: Running) -> None:
    (gateway,) = (each for each in service.family() if "local.serve" in each.cmdline())
    theirs = [each for each in gateway.children() if "awslambdaric" in " ".join(each.cmdline())]
    assert theirs
    gateway.kill()
    psutil.wait_procs(theirs, timeout=5)
    assert not [each for each in theirs if each.is_running()]

    def bought() -> str | None:
        try:
            return buy(service, 2)
        except OSError:  # it starts
            return None

    assert eventually(bought)


@pytest.mark.parametrize("runtime", ["local", "lambda"])
def test_an_invocation_by_hand_prints_the_result_alone(service: Running, runtime: str) -> None:
    done = service.command("invoke", "create_sale", "--runtime", runtime, "--report")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sales"]
    assert "REPORT RequestId: " in done.stderr


@pytest.mark.parametrize("runtime", ["local", "lambda"])
def test_one_that_fails_prints_lambdas_error(
    service: Running, runtime: str, tmp_path: Path
) -> None:
    (tmp_path / "event.json").write_text("[]")  # which is no request
    event = str(tmp_path / "event.json")
    done = service.command("invoke", "CheckoutFunction", "-e", event, "--runtime", runtime)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["errorType"] == "AttributeError"
    assert told["errorMessage"] == "'list' object has no attribute 'get'"
    assert "flashsale/api.py" in "".join(told["stackTrace"])
    assert "/local/" not in "".join(told["stackTrace"])


def test_one_of_no_function_or_no_event_is_refused(service: Running, tmp_path: Path) -> None:
    done = service.command("invoke", "refund")
    assert done.returncode == 1
    assert "there are audit, checkout, create_sale," in done.stderr
    (tmp_path / "event.json").write_text("{")
    done = service.command("invoke", "checkout", "-e", str(tmp_path / "event.json"))
    assert done.returncode == 2
    assert "it is no JSON" in done.stderr


def test_one_handed_over_is_run_by_the_service(service: Running, tmp_path: Path) -> None:
    """It fails, is run again twice, and becomes a dead letter."""
    (tmp_path / "event.json").write_text("[]")
    event = str(tmp_path / "event.json")
    done = service.command("invoke", "checkout", "--async", "-e", event)
    accepted = json.loads(done.stdout)
    assert (done.returncode, accepted["StatusCode"]) == (0, 202)
    dead = service.folder / "dead-letters.jsonl"
    eventually(dead.exists)
    record = json.loads(dead.read_text())
    assert record["requestContext"]["requestId"] == accepted["RequestId"]
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "AttributeError"
