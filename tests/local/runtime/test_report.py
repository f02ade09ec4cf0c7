"""START, END and REPORT around every invocation, on request, in either runtime."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from local.functions import load_functions
from local.runtime.errors import TimeLimitError
from local.runtime.options import Options
from local.template import Template
from tests.local.conftest import Add
from tests.local.runtime.conftest import OPTIONS, Running

SPEAKS = """
import json, sys, time

def handler(event, context):
    print("said")
    print(json.dumps({"level": "INFO", "message": "told"}))
    if "raise" in event:
        raise ValueError("one")
    time.sleep(event.get("sleep", 0))
"""

REPORT = re.compile(
    r"REPORT RequestId: [0-9a-f-]{36}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
    r"Memory Size: 192 MB\tMax Memory Used: \d+ MB\t(Init Duration: \d+\.\d\d ms\t)?"
    r"(Status: (error|timeout)\t)?"
)


def messages(log: Path) -> list[str]:
    return [json.loads(line)["message"] for line in log.read_text().splitlines()]


async def test_an_environment_reports_and_what_it_says_is_between(
    add: Add, running: Running
) -> None:
    add("Speaks", code=SPEAKS, MemorySize=192, Timeout=1)
    async with running(dataclasses.replace(OPTIONS, function_report="on")) as cloud:
        await cloud.invoke("Speaks")
        first = messages(cloud.log)
        assert re.fullmatch(r"START RequestId: [0-9a-f-]{36} Version: \$LATEST", first[0])
        request_id = first[0].split()[2]
        assert first[1:4] == ["said", "told", f"END RequestId: {request_id}"]
        assert (found := REPORT.fullmatch(first[4]))
        assert found[1]  # a cold start
        await cloud.invoke("Speaks")
        assert (found := REPORT.fullmatch(messages(cloud.log)[-1]))
        assert not found[1]
        with pytest.raises(Exception, match="one"):
            await cloud.invoke("Speaks", {"raise": 1})
        assert (found := REPORT.fullmatch(messages(cloud.log)[-1]))
        assert found[2] == "Status: error\t"
        with pytest.raises(TimeLimitError):
            await cloud.invoke("Speaks", {"sleep": 9})
        assert (found := REPORT.fullmatch(messages(cloud.log)[-1]))
        assert found[2] == "Status: timeout\t"
        lines = [json.loads(line) for line in cloud.log.read_text().splitlines()]
    (fault,) = [line for line in lines if line.get("level") == "ERROR"]
    assert fault["message"].startswith("[ERROR] ValueError: one\nTraceback")
    assert fault["function"] == "Speaks"


async def test_a_function_in_this_process_reports_likewise(
    add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("LOG_FILE", str(log))
    add("Speaks", code=SPEAKS, MemorySize=192, Timeout=1)
    template = Template.read(tmp_path / "template.yaml")
    (function,) = load_functions(template, Options(function_report="on"))
    for _ in range(2):
        await function.invoke({})
    with pytest.raises(TimeLimitError):
        await function.invoke({"sleep": 1.5})
    reports = [REPORT.fullmatch(line) for line in messages(log) if line.startswith("REPORT")]
    assert [found and bool(found[1]) for found in reports] == [True, False, False]
    assert [found and found[3] for found in reports] == [None, None, "timeout"]


async def test_nothing_is_reported_unless_asked_for(add: Add, running: Running) -> None:
    add("Speaks", code=SPEAKS)
    async with running() as cloud:
        await cloud.invoke("Speaks")
        assert messages(cloud.log) == ["said", "told"]
