"""What stands in for Lambda: a process that imports functions and calls their handlers."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flashsale

ROOT = Path(flashsale.__file__).parents[4]
RUNTIME = """
import importlib.util, json, sys
handlers = {}
for line in sys.stdin:
    name, event = json.loads(line)
    if name not in handlers:
        spec = importlib.util.spec_from_file_location("app", f"functions/{name}/app.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        handlers[name] = module.handler
    try:
        told = {"result": handlers[name](event, None)}
    except Exception as error:
        told = {"raised": type(error).__name__, "message": str(error)}
    print(json.dumps(told), flush=True)
"""


class Lambda:
    """A process that runs functions; what it logs goes to a file."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        layers = ROOT / "layers/flashsale/python"
        self._process = subprocess.Popen(
            [sys.executable, "-c", RUNTIME],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(layers), "LOG_FILE": str(log)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def invoke(self, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([name, event]), file=self._process.stdin, flush=True)
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def request(
        self, name: str, route: str, query: str = "", **more: object
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Send an event of API Gateway; return status, JSON body and headers."""
        method, _, path = route.partition(" ")
        event = {
            "version": "2.0",
            "routeKey": route,
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"host": "example.com"},
            "requestContext": {
                "http": {"method": method, "path": path},
                "requestId": f"id-{name}",
            },
            "isBase64Encoded": False,
            **more,
        }
        response = self.invoke(name, event)["result"]
        assert set(response) == {"statusCode", "headers", "body"}
        is_json = response["headers"]["content-type"] == "application/json"
        body = json.loads(response["body"]) if is_json else {"text": response["body"]}
        return response["statusCode"], body, response["headers"]

    def lines(self) -> list[dict[str, Any]]:
        text = self.log.read_text() if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def end(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
