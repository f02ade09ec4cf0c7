"""Functions of a temporary template, in environments of their own: processes of awslambdaric."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from local.runtime.lambda_function import LambdaFunction
from local.runtime.layout import lay_out
from local.runtime.log import Log
from local.runtime.options import Options
from local.runtime.pool import Pool
from local.template import Template

OPTIONS = Options(function_runtime="lambda", lambda_environments=4)


class Lambda:
    """The functions of a folder's template, by name; `log` is the file with their output."""

    def __init__(self, folder: Path, build: Path, options: Options) -> None:
        template = Template.read(folder / "template.yaml")
        layouts = lay_out(template, root=folder, folder=build)
        self.log = folder / "log"
        self.pool = Pool(template, layouts, options=options, log=Log(str(self.log)))
        self.functions = {spec.name: LambdaFunction(spec, self.pool) for spec in template.functions}

    async def invoke(self, name: str, event: Any = None) -> Any:
        return await self.functions[name].invoke({} if event is None else event)

    async def crowd(self, name: str, count: int, event: Any = None) -> list[Any]:
        """The results of so many invocations at once."""
        return await asyncio.gather(*(self.invoke(name, event) for _ in range(count)))


Running = Callable[..., contextlib.AbstractAsyncContextManager[Lambda]]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Lambda's runtime is laid out, once for all tests."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture
def running(tmp_path: Path, build: Path) -> Running:
    """Runs the temporary template's functions while the block lasts."""

    @contextlib.asynccontextmanager
    async def run(options: Options = OPTIONS) -> AsyncIterator[Lambda]:
        made = Lambda(tmp_path, build, options)
        try:
            yield made
        finally:
            await made.pool.close()

    return run
