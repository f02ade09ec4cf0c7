"""New code in a running process, without a request noticing: `flashsale up --reload`.

A process that has RELOAD_FILE in its environment watches its template, functions and layers. What
has changed is loaded beside what runs, and one assignment puts it in its place: requests under way
end on the code that they began with, whose connections are closed after the last of them. Code that
can't be loaded changes nothing. Either way RELOAD_FILE gets a line, which `flashsale up` shows.

Starting new processes behind the shared port and ending the old ones would be simpler, and would
drop the connections that the kernel has queued for those.
"""

import asyncio
import contextlib
import hashlib
import importlib
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import yaml
from watchfiles import Change, DefaultFilter, awatch

from local.functions import load_functions
from local.in_use import Counted, Use, closing, settled
from local.reloads import tell
from local.runtime.function import Function
from local.template import Template, TemplateError

# Editors write a file in steps, and change several: what comes close together is one change.
GATHER_MS = 400
# What changed before the system watched, or is told of by no system, is seen at the next look.
LOOK_MS = 1_000
SHOWN_MAX = 3

# The state of every watched file; a modification time alone may stay the same.
Look = Mapping[Path, tuple[int, int, int]]
Swap = Callable[[Template, Sequence[Function]], None]

_is_code = DefaultFilter()


class Reloader:
    """The functions of a template as they are now. `swap` puts new ones in their place."""

    def __init__(self, path: Path, template: Template, *, tell: Path) -> None:
        """Load the functions of the template at `path` for the first time.

        Raises:
            Exception: what loading raised.
        """
        # A file that is changed twice a second keeps its time, and may keep its size: compiled
        # code that was kept for it would be taken for the new one's.
        sys.dont_write_bytecode = True
        self._path = path
        self._tell = tell
        self._template = template
        self._loaded = self._tried = self._look(template)
        self._layer = Use(_close_layer())
        self._code = Use(closing(()))
        self.functions = self._counted(load_functions(template))
        self._changed = asyncio.Event()

    async def watch(self, swap: Swap) -> None:
        """Follow changes until cancelled."""
        while True:
            folders = _folders(self._template)
            async with asyncio.TaskGroup() as group:
                watches = [
                    group.create_task(self._wake(folders, recursive=True)),
                    group.create_task(self._wake([self._path.parent], recursive=False)),
                ]
                while _folders(self._template) == folders:
                    await self._changed.wait()
                    self._changed.clear()
                    self._reload(swap)
                for watch in watches:
                    watch.cancel()

    async def beside(self, work: Awaitable[object], swap: Swap) -> None:
        """Follow changes while `work` runs, then close what the present code has open."""
        watching = asyncio.ensure_future(self.watch(swap))
        try:
            await work
        finally:
            watching.cancel()
            await self.close()

    async def close(self) -> None:
        """Close what the present code has open, and wait for what is being closed."""
        self._code.close = closing(self.functions)
        self._code.retire()
        self._layer.retire()
        await settled()

    async def _wake(self, folders: Sequence[Path], *, recursive: bool) -> None:
        if not folders:
            return
        try:
            async for _ in awatch(
                *folders,
                recursive=recursive,
                debounce=GATHER_MS,
                rust_timeout=LOOK_MS,
                yield_on_timeout=True,
            ):
                self._changed.set()
        except (OSError, RuntimeError) as error:  # as where the system lets nobody watch more
            self._say(f"Changes are not seen any more: {error}")

    def _reload(self, swap: Swap) -> None:
        look = self._look(self._template)
        if look == self._tried:
            return
        self._tried = look
        before = dict(os.environ)
        try:
            template = Template.read(self._path)
            look = self._look(template)
            changed = _changes(self._loaded, look)
            self._update_environment(template)
            self._load(template, changed, swap)
        except (Exception, SystemExit) as error:
            for name in os.environ.keys() | before.keys():
                _set(name, before.get(name))
            self._say(f"Not reloaded, the old code goes on: {self._reason(error)}")
            return
        self._loaded = self._tried = look
        names = [self._shown(file) for file in changed]
        more = f" and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
        self._say(f"Reloaded: {', '.join(names[:SHOWN_MAX])}{more}")

    def _load(self, template: Template, changed: Sequence[Path], swap: Swap) -> None:
        """Load what has changed beside what runs, then swap. Whatever it raises, nothing has."""
        folders = {*template.layers, *self._template.layers}
        whole_layer = (
            any(file.is_relative_to(folder) for file in changed for folder in folders)
            or template.environment != self._template.environment
            or template.layers != self._template.layers
        )
        code = [spec.folder for spec in (*template.functions, *self._template.functions)]
        with _forgotten([*code, *(folders if whole_layer else ())]):
            functions = load_functions(template)
            old_code, old_layer = self._code, self._layer
            if whole_layer:
                _require_settings()
                self._layer = Use(_close_layer())
            self._code = Use(closing(()))
            new = self._counted(functions)
            try:
                swap(template, new)
            except BaseException:
                self._code, self._layer = old_code, old_layer
                raise
        old_functions, self.functions, self._template = self.functions, new, template
        old_code.close = closing(old_functions)
        old_code.retire()
        if whole_layer:
            old_layer.retire()

    def _counted(self, functions: Sequence[Function]) -> list[Function]:
        return [Counted(function, (self._code, self._layer)) for function in functions]

    def _update_environment(self, template: Template) -> None:
        """Follow the template's variables, but for those that the user has set otherwise."""
        old, new = self._template.environment, template.environment
        for name in old.keys() | new.keys():
            if os.environ.get(name) == old.get(name):
                _set(name, new.get(name))

    def _look(self, template: Template) -> Look:
        files = [self._path]
        for folder in _folders(template):
            files += (
                file
                for file in folder.rglob("*")
                if _is_code(Change.modified, str(file)) and file.is_file()
            )
        look = {}
        for file in files:
            with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                state = file.stat()
                look[file] = (state.st_mtime_ns, state.st_size, state.st_ino)
        return look

    def _reason(self, error: BaseException) -> str:
        """One line: where in the watched files it is wrong, and what."""
        said = str(error).strip() or type(error).__name__
        if isinstance(error, SyntaxError) and error.filename:
            return f"{self._place(error.filename, error.lineno)}: {error.msg}"
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            place = self._place(str(self._path), error.problem_mark.line + 1)
            return f"{place}: {error.problem}"
        watched = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if any(
                Path(frame.filename).is_relative_to(folder) for folder in _folders(self._template)
            )
        ]
        said = " ".join(said.split())
        if isinstance(error, TemplateError) or not watched:
            return said
        place = self._place(watched[-1].filename, watched[-1].lineno)
        return f"{place}: {type(error).__name__}: {said}"

    def _place(self, file: str, line: int | None) -> str:
        return f"{self._shown(Path(file))}, line {line}"

    def _shown(self, file: Path) -> str:
        root = self._path.parent
        return str(file.relative_to(root) if file.is_relative_to(root) else file)

    def _say(self, line: str) -> None:
        from flashsale.logs import logger

        logger().info("reload", extra={"told": line})
        state = hashlib.sha256(repr(sorted(self._tried.items())).encode()).hexdigest()[:16]
        tell(self._tell, state=state, line=line)


def _folders(template: Template) -> list[Path]:
    """The folders of code that are there."""
    folders = {*template.layers, *(spec.folder for spec in template.functions)}
    return sorted(folder for folder in folders if folder.is_dir())


def _changes(before: Look, after: Look) -> list[Path]:
    files = before.keys() | after.keys()
    return sorted(file for file in files if before.get(file) != after.get(file))


def _set(variable: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(variable, None)
    elif os.environ.get(variable) != value:
        os.environ[variable] = value


def _close_layer() -> Callable[[], Awaitable[None]]:
    """How the layer that is loaded now is closed, whichever is loaded by then."""
    from flashsale import bootstrap

    return bootstrap.close


def _require_settings() -> None:
    """Refuse settings now that would fail each request."""
    from flashsale.config import Settings

    Settings.read()


@contextlib.contextmanager
def _forgotten(folders: Sequence[Path]) -> Iterator[None]:
    """Let what is imported inside be imported anew, if it lies in these folders. If the block
    fails, all modules are again what they were."""
    places = tuple(f"{folder}{os.sep}" for folder in folders)

    def within() -> dict[str, ModuleType]:
        return {
            name: module
            for name, module in list(sys.modules.items())
            if (getattr(module, "__file__", None) or "").startswith(places)
        }

    old = within()
    for name in old:
        del sys.modules[name]
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        for name in within():
            del sys.modules[name]
        sys.modules.update(old)
        raise
