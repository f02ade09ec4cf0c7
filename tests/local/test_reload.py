"""New code takes the place of old code in running processes, and no request notices."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local.environment import ROOT
from local.in_use import Use, settled
from local.reload import Reloader
from local.reloads import Reloads, tell
from local.runtime.function import Function
from local.template import Template
from tests.local.running import free_port

ONE = "async def invoke(event, context):\n    return 'one'\nhandler = invoke\n"
TWO = """import shared

async def handler(event, context):
    gate = event.get("gate")
    if gate:
        event["inside"].set()
        await gate.wait()
    import shared as late
    return [shared.NAME, late.NAME]
"""


EMPTY = '{"Resources": {"A": {"Type": "AWS::Serverless::Function", "Properties": {}}}}'


class Shop:
    """A template with two functions and a layer, and a reloader that follows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.functions: dict[str, Function] = {}
        self.template({"One": {}, "Two": {}})
        self.write("functions/one/app.py", ONE)
        self.write("functions/two/app.py", TWO)
        self.write("layer/python/shared.py", "NAME = 'old'\n")
        self.told = Reloads(folder / "reloads")

    def template(self, functions: dict[str, Any], **variables: str) -> None:
        layer = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layer"}}
        made = {
            name: {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "CodeUri": f"functions/{name.lower()}",
                    "Handler": "app.handler",
                    "Environment": {"Variables": variables},
                    **more,
                },
            }
            for name, more in functions.items()
        }
        self.write("template.yaml", json.dumps({"Resources": {"Layer": layer, **made}}))

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def swap(self, template: Template, functions: Any) -> None:
        self.functions = {each.spec.name: each for each in functions}

    async def call(self, name: str, **event: Any) -> Any:
        return await self.functions[name].invoke(event)

    async def line(self) -> str:
        """The next line that the reloader tells."""
        async with asyncio.timeout(10):
            while not (lines := self.told.new()):
                await asyncio.sleep(0.01)
        (line,) = lines
        return line


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    made = Shop(tmp_path)
    path = tmp_path / "template.yaml"
    template = Template.read(path)
    reloader = Reloader(path, template, tell=tmp_path / "reloads")
    made.swap(template, reloader.functions)
    over = asyncio.Event()
    running = asyncio.create_task(reloader.beside(over.wait(), made.swap))
    await asyncio.sleep(0.2)  # until it watches; a change before it would be seen all the same
    yield made
    over.set()
    await running
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


async def test_a_changed_function_answers_as_it_is_now(shop: Shop) -> None:
    assert await shop.call("One") == "one"
    shop.write("functions/one/app.py", ONE.replace("'one'", "'changed'"))
    assert await shop.line() == "Reloaded: functions/one/app.py"
    assert await shop.call("One") == "changed"
    assert await shop.call("Two") == ["old", "old"]


async def test_a_change_that_keeps_size_and_second_is_seen(shop: Shop) -> None:
    """What Python compiles and keeps by a file's second and size would be the old code."""
    file = shop.folder / "functions/one/app.py"
    for number in range(3):
        file.write_text(ONE.replace("one", f"on{number}"))
        os.utime(file, ns=(0, 1_700_000_000_000_000_000 + number))
        await shop.line()
        assert await shop.call("One") == f"on{number}"


async def test_a_request_under_way_ends_on_the_code_that_it_began_with(shop: Shop) -> None:
    gate, inside = asyncio.Event(), asyncio.Event()
    old = asyncio.create_task(shop.call("Two", gate=gate, inside=inside))
    await inside.wait()
    shop.write("layer/python/shared.py", "NAME = 'new'\n")
    assert await shop.line() == "Reloaded: layer/python/shared.py"
    assert await shop.call("Two") == ["new", "new"]
    gate.set()
    assert (await old)[0] == "old"


async def test_a_new_function_is_there_and_one_that_is_gone_is_not(shop: Shop) -> None:
    shop.write("functions/three/app.py", ONE.replace("one", "three"))
    shop.template({"One": {}, "Three": {}})
    assert await shop.line() == (
        "Reloaded: functions/three/app.py, functions/two/app.py, template.yaml"
    )
    assert set(shop.functions) == {"One", "Three"}
    assert await shop.call("Three") == "three"
    shop.write("functions/three/app.py", ONE.replace("one", "3"))
    assert await shop.line() == "Reloaded: functions/three/app.py"
    assert await shop.call("Three") == "3"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("functions/one/app.py", "def handler(:\n", "functions/one/app.py, line 1: invalid syntax"),
        ("functions/one/app.py", "\n\nnobody\n", "functions/one/app.py, line 3: NameError: name"),
        ("functions/one/app.py", "handle = 1\n", "One has no handler in "),
        ("functions/one/app.py", "raise SystemExit\n", "functions/one/app.py, line 1: SystemExit"),
        ("layer/python/shared.py", "NAME =\n", "layer/python/shared.py, line 1: invalid syntax"),
        ("layer/python/shared.py", "1 / 0\n", "layer/python/shared.py, line 1: ZeroDivisionError"),
        ("template.yaml", "Resources:\n  A: [\n", "template.yaml, line 3: expected"),
        ("template.yaml", EMPTY, "A has no CodeUri"),
    ],
)
async def test_what_can_t_be_loaded_changes_nothing_and_is_told_in_one_line(
    shop: Shop, name: str, text: str, reason: str
) -> None:
    before = (shop.folder / name).read_text()
    shop.write(name, text)
    line = await shop.line()
    assert line.startswith("Not reloaded, the old code goes on: ")
    assert reason in line
    assert "\n" not in line
    assert await shop.call("One") == "one"
    assert await shop.call("Two") == ["old", "old"]
    shop.write(name, before)
    assert await shop.line() == f"Reloaded: {name}"


async def test_what_is_mended_comes_with_what_changed_beside_it(shop: Shop) -> None:
    shop.write("functions/one/app.py", "def handler(:\n")
    await shop.line()
    shop.write("functions/two/app.py", TWO + "\n")
    await shop.line()
    shop.write("functions/one/app.py", ONE.replace("one", "mended"))
    assert await shop.line() == "Reloaded: functions/one/app.py, functions/two/app.py"
    assert await shop.call("One") == "mended"


async def test_the_template_s_variables_follow_it_and_the_user_s_stay(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_COLOUR", "mine")
    monkeypatch.delenv("SHOP_SIZE", raising=False)
    shop.template({"One": {}}, SHOP_COLOUR="red", SHOP_SIZE="small")
    await shop.line()
    assert (os.environ["SHOP_COLOUR"], os.environ["SHOP_SIZE"]) == ("mine", "small")
    shop.write("functions/one/app.py", "def handler(:\n")
    shop.template({"One": {}}, SHOP_COLOUR="red", SHOP_SIZE="large")
    await shop.line()
    assert os.environ["SHOP_SIZE"] == "small"
    shop.write("functions/one/app.py", ONE)
    shop.template({"One": {}})
    await shop.line()
    assert os.environ["SHOP_COLOUR"] == "mine"
    assert "SHOP_SIZE" not in os.environ


async def test_connections_are_closed_after_their_last_user_and_after_a_late_one() -> None:
    closed: list[int] = []

    async def close() -> None:
        closed.append(len(closed))

    use = Use(close)
    use.count = 2
    use.leave()
    use.retire()
    await settled()
    assert closed == []
    use.leave()
    await settled()
    assert len(closed) == 1
    use.count += 1  # it had chosen its code before, and began after
    use.leave()
    await settled()
    assert len(closed) == 2


def test_what_every_process_tells_is_heard_once(tmp_path: Path) -> None:
    file = tmp_path / "reloads"
    told = Reloads(file)
    assert told.new() == []
    for _ in range(3):
        tell(file, state="a", line="Reloaded: ä")
    assert told.new() == ["Reloaded: ä"]
    with file.open("a") as half:
        half.write('{"state": "b", "li')
    assert told.new() == []
    with file.open("a") as half:
        half.write('ne": "Reloaded: ä"}\n')
    assert told.new() == ["Reloaded: ä"]


def test_without_reload_nothing_of_it_is_loaded() -> None:
    modules = "import local.serve, local.scheduler, local.up, sys; "
    code = f"{modules}sys.exit('local.reload' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# The whole service, in a copy of this checkout

UP = """
from local.up import Up
Up(lambda line: print(line, flush=True), reload=True).run(lambda state: print("up", flush=True))
"""


class Service:
    """Runs a copy of the checkout, and a crowd that never stops asking it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "shop"
        self.port = free_port()
        nothing_compiled = shutil.ignore_patterns("__pycache__")
        for name in ("functions", "layers", "local"):
            shutil.copytree(ROOT / name, self.folder / name, ignore=nothing_compiled)
        shutil.copy(ROOT / "template.yaml", self.folder)
        paths = f"{self.folder}{os.pathsep}{self.folder / 'layers/flashsale/python'}"
        own = {"PORT": str(self.port), "DATA_DIR": str(folder / "data"), "WORKERS": "2"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", UP],
            cwd=self.folder,
            env={**os.environ, **own, "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.over = threading.Event()
        self.answered = 0
        self.failures: list[object] = []
        self._crowd = [threading.Thread(target=self._shop, args=(n,)) for n in range(2)]

    def start_crowd(self) -> None:
        self.until(lambda: "up" in self.lines)
        for shopper in self._crowd:
            shopper.start()

    def end(self) -> None:
        self.over.set()
        for shopper in self._crowd:
            if shopper.is_alive():
                shopper.join()
        self.process.terminate()
        assert self.process.wait(20) == 0
        self._reader.join()
        assert self.process.stdout
        self.process.stdout.close()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < deadline, f"waited 60 s in vain: {self.lines[-5:]}"
            time.sleep(0.02)

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        file = self.folder / name
        file.write_text(change(file.read_text()))

    def get(self, path: str) -> tuple[int, Any]:
        """On a connection of its own, which any of the processes may get."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def everywhere(self, path: str, condition: Callable[[int, Any], bool]) -> None:
        """Wait until it holds of sixteen answers in a row: of both processes' surely enough."""
        self.until(lambda: all(condition(*self.get(path)) for _ in range(16)))

    def descriptors(self) -> int:
        family = psutil.Process(self.process.pid).children()
        return sum(one.num_fds() for one in family if "local.serve" in one.cmdline())

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def _shop(self, number: int) -> None:
        count = 0
        while not self.over.is_set():
            with contextlib.closing(
                http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            ) as connection:
                for _ in range(40):
                    count += 1
                    item = (number * 997 + count) % 10_000 + 1
                    buyer = f"shopper-{number}-{count}"
                    try:
                        self._buy(connection, buyer, item)
                    except (OSError, http.client.HTTPException) as error:
                        self.failures.append(error)
                        break

    def _buy(self, connection: http.client.HTTPConnection, buyer: str, item: int) -> None:
        for method, path in (("GET", "/stats"), ("POST", f"/checkout?user_id={buyer}&id={item}")):
            told = self._ask(connection, method, path)
        if "checkout_code" in told:
            self._ask(connection, "POST", f"/purchase?code={told['checkout_code']}")

    def _ask(self, connection: http.client.HTTPConnection, method: str, path: str) -> Any:
        connection.request(method, path)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        self.answered += 1
        if answer.status not in (200, 409):  # sold out is an answer
            self.failures.append((answer.status, path, told))
        return told


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    if made.process.poll() is None:
        made.end()


HELLO = """  HelloFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/hello
      Events:
        Hello:
          Type: HttpApi
          Properties: {ApiId: !Ref Api, Method: GET, Path: /hello}
        Soon:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: SOON
            Input: '{"at": "<aws.scheduler.scheduled-time>"}'
            RetryPolicy: {MaximumRetryAttempts: 0}

  MigrateFunction:
    Type: AWS::Serverless::Function
"""
GREETING = """import os, pathlib

def handler(event, context):
    if "at" in event:
        pathlib.Path(os.environ["DATA_DIR"], "greeted").write_text(event["at"])
    return {"hello": "you"}
"""


def test_a_crowd_notices_nothing_of_a_dozen_reloads(service: Service, tmp_path: Path) -> None:
    """Functions, the layer and the template are changed while two shoppers buy without a pause:
    not one request fails, and the new code answers in each process."""
    stats, errors = "functions/stats/app.py", "layers/flashsale/python/flashsale/errors.py"
    original = (service.folder / stats).read_text()
    service.start_crowd()
    for number in range(4):
        round_ = f'"round": "{number}", "start_time"'
        service.edit(stats, lambda text, new=round_: original.replace('"start_time"', new))  # type: ignore[misc]
        service.everywhere(
            "/stats",
            lambda _, told, n=str(number): told["stats"].get("round") == n,  # type: ignore[misc]
        )
        path = f"no path, {number}"
        service.edit(
            errors,
            lambda text, new=path: re.sub(
                'message = "no (such )?path.*"', f'message = "{new}"', text
            ),  # type: ignore[misc]
        )
        service.everywhere("/nowhere", lambda _, told, new=path: new in told["message"])  # type: ignore[misc]
        if number == 1:
            before = service.descriptors()

    service.edit(stats, lambda text: "def handler(:\n")
    service.until(lambda: any("app.py, line 1: invalid syntax" in line for line in service.lines))
    assert service.get("/stats")[1]["stats"]["round"] == "3"
    service.edit(stats, lambda text: original)
    service.everywhere("/stats", lambda _, told: "round" not in told["stats"])

    hello = service.folder / "functions/hello/app.py"
    hello.parent.mkdir()
    hello.write_text(GREETING)
    template = (service.folder / "template.yaml").read_text()
    soon = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 4))
    start = "  MigrateFunction:\n    Type: AWS::Serverless::Function\n"
    assert start in template
    service.edit("template.yaml", lambda text: text.replace(start, HELLO.replace("SOON", soon)))
    service.everywhere("/hello", lambda status, told: (status, told) == (200, {"hello": "you"}))
    service.until((tmp_path / "data" / "greeted").exists)
    assert (tmp_path / "data" / "greeted").read_text() == f"{soon[3:-1]}Z"
    service.edit("template.yaml", lambda text: template)
    service.everywhere("/hello", lambda status, told: status == 404)
    # Of each version, its log may stay open; its connections to the stores may not.
    assert service.descriptors() < before + 2 * 8

    service.over.set()
    service.end()
    assert service.failures == []
    assert service.answered > 500
    reloads = [line for line in service.lines if line.strip().startswith("Reloaded: ")]
    assert len(reloads) >= 11
