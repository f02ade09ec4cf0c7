"""What a function is told about its invocation is the same here and under Lambda's runtime."""

from pathlib import Path
from typing import Any

import pytest

from local.errors import LocalError
from local.functions import LocalFunction
from local.runtime.options import Options
from tests.local.conftest import Add
from tests.local.runtime.conftest import Running

TELLS = """
def handler(event, context):
    public = [name for name in dir(context) if not name.startswith("_")]
    told = {name: getattr(context, name) for name in public}
    told["w3c"] = context.w3c()
    told["identity"] = [context.identity.cognito_identity_id,
                        context.identity.cognito_identity_pool_id]
    told["left"] = context.get_remaining_time_in_millis()
    context.log("noted")
    del told["get_remaining_time_in_millis"], told["log"]
    return told
"""


def shape(told: dict[str, Any]) -> dict[str, Any]:
    """What does not differ from one invocation, or environment, to the next."""
    varying = {"aws_request_id": 36, "log_stream_name": len("2026/11/22/[$LATEST]") + 32}
    for name, length in varying.items():
        assert len(told[name]) == length, told[name]
    assert 0 < told["left"] <= 7_000
    return {name: value for name, value in told.items() if name not in (*varying, "left")}


async def test_the_context_is_lambdas(add: Add, running: Running) -> None:
    add("Told", code=TELLS, Timeout=7, MemorySize=256)
    async with running() as cloud:
        function = cloud.functions["Told"]
        theirs = await function.invoke({}, "6f5f9d44-3f1d-4ff9-9c0e-7f3bb1f6d0a5")
        ours = await LocalFunction(function.spec).invoke({})
    assert theirs["aws_request_id"] == "6f5f9d44-3f1d-4ff9-9c0e-7f3bb1f6d0a5"
    assert shape(ours) == shape(theirs)
    assert shape(ours)["memory_limit_in_mb"] == "256"
    assert shape(ours)["invoked_function_arn"].endswith(":function:Told")


SURROUNDINGS = """
import os, sys

def handler(event, context):
    return {"variables": dict(os.environ), "path": sys.path, "folder": os.getcwd()}
"""


async def test_an_environment_has_what_lambda_gives_it_and_nothing_of_ours(
    add: Add, running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The template's variables are this function's alone, and this process's own settings, save
    those that replace the template's values, stay outside; so do all packages installed here."""
    monkeypatch.setenv("SECRET_OF_THIS_SHELL", "x")
    monkeypatch.setenv("TONE", "from the shell")
    add("Plain", code=SURROUNDINGS, Environment={"Variables": {"TONE": "loud", "SIZE": "7"}})
    add("Other", code=SURROUNDINGS, Environment={"Variables": {"OTHER": "1"}})
    async with running() as cloud:
        told = await cloud.invoke("Plain")
    variables = told["variables"]
    assert (variables["TONE"], variables["SIZE"]) == ("from the shell", "7")
    assert not variables.keys() & {"SECRET_OF_THIS_SHELL", "OTHER", "HOME"}
    folder = str(tmp_path / "functions" / "plain")
    assert told["folder"] == variables["LAMBDA_TASK_ROOT"] == told["path"][0] == folder
    expected = {
        "_HANDLER": "app.handler",
        "AWS_LAMBDA_FUNCTION_NAME": "Plain",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/Plain",
        "TZ": ":UTC",
    }
    assert expected.items() <= variables.items()
    assert not [place for place in told["path"] if "site-packages" in place]


def test_options_are_refused_by_name() -> None:
    wrong = {"FUNCTION_RUNTIME": "docker", "LAMBDA_ENVIRONMENTS": "0", "ASYNC_RETRY_SECONDS": "1.5"}
    for name, value in wrong.items():
        with pytest.raises(LocalError, match=f"{name} is '{value}'"):
            Options.read({name: value})
    assert not Options.read({}).limits
    assert Options.read({"FUNCTION_RUNTIME": "lambda"}).limits
