"""Lays a function out as it lies in Lambda: its folder, its layers, and Lambda's own runtime.

What `sam build` has made is used if it is as new as its sources and fits this machine; the rest is
taken as it lies, and layers that `sam build` would make are installed by pip, once for each state
of their requirements.
"""

import fcntl
import functools
import hashlib
import importlib.metadata
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from local.errors import LocalError
from local.template import FunctionSpec, Layer, Template

# What Lambda's Python runtime has beside the standard library: the client of its Runtime API, and
# boto3, which is there only if it is installed here.
RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")
SDK = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")

# As `sam build` calls it; every package with its hash, and none that would have to be compiled.
_PIP = (
    *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"),
    *("--no-deps", "--only-binary", ":all:"),
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Layout:
    """Where a function's parts are; `path` is Python's, in order."""

    task: Path
    path: tuple[Path, ...]


def lay_out(
    template: Template, *, root: Path, folder: Path, say: Say = lambda line: None
) -> dict[str, Layout]:
    """The layout of every function, by name. `root` is the template's folder; what has to be made
    is made in `folder`, and `say` tells about it.

    Raises:
        LocalError: a layer can't be had here, or Lambda's runtime is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runtime = _runtime(folder)
    built = _built(template, root)
    layers = {layer.name: layer for layer in template.all_layers}

    @functools.cache
    def place(name: str) -> Path:
        if name not in layers:
            raise LocalError(f"The layer {name} is not of this template, and can't be had here")
        return _layer(layers[name], built=built, folder=folder, say=say)

    return {
        spec.name: Layout(
            task=_task(spec, built),
            # A later layer is unpacked over the earlier ones.
            path=(*(place(name) for name in reversed(spec.layers)), runtime),
        )
        for spec in template.functions
    }


def _built(template: Template, root: Path) -> Path | None:
    """What `sam build` has made, if nothing has changed since."""
    built = root / ".aws-sam" / "build"
    made = built / "template.yaml"
    if not made.exists():
        return None
    sources = [root / "template.yaml"]
    folders = [spec.folder for spec in template.functions]
    folders += [layer.folder for layer in template.all_layers]
    for folder in folders:
        sources += (file for file in folder.rglob("*") if "__pycache__" not in file.parts)
    newest = max(file.stat().st_mtime for file in sources)
    return built if newest <= made.stat().st_mtime else None


def _task(spec: FunctionSpec, built: Path | None) -> Path:
    made = built / spec.name if built else None
    return made if made and made.is_dir() else spec.folder


def _layer(layer: Layer, *, built: Path | None, folder: Path, say: Say) -> Path:
    if built and (made := built / layer.name / "python").is_dir() and _fits(made):
        return made
    if not layer.is_built:
        return layer.folder / "python"
    return _installed(layer, folder=folder, say=say)


def _fits(python: Path) -> bool:
    """Whether this interpreter can load all compiled modules: not if they are another machine's."""
    ours = tuple(each for each in EXTENSION_SUFFIXES if each != ".so")
    return all(
        file.name.endswith(ours) for file in python.rglob("*.so") if ".cpython-" in file.name
    )


def _installed(layer: Layer, *, folder: Path, say: Say) -> Path:
    """The layer's pinned requirements, installed by pip as `sam build` would."""
    requirements = layer.folder / "requirements.txt"
    if not requirements.exists():
        raise LocalError(f"The layer {layer.name} has no {requirements}")
    kind = f"{sys.implementation.cache_tag}-{sys.platform}-{platform.machine()}"
    key = hashlib.sha256(requirements.read_bytes() + kind.encode()).hexdigest()[:16]
    place = folder / f"{layer.name}-{key}"
    with _one_at_a_time(folder):
        if place.exists():
            return place / "python"
        say(f"Building the layer {layer.name}, once")
        with _temporary(folder) as made:
            done = subprocess.run(
                [*_PIP, "--target", made / "python", "--requirement", requirements],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                lines = done.stderr.strip().splitlines() or ["pip failed"]
                # Where pip shows what is wrong over several lines, the first one says it.
                told = next((line for line in lines if line.startswith("ERROR")), lines[-1])
                raise LocalError(f"The layer {layer.name} can't be built: {told}")
            made.rename(place)
    return place / "python"


def _runtime(folder: Path) -> Path:
    """A folder with nothing but Lambda's runtime in it: links to what is installed here."""
    try:
        parts = [importlib.metadata.distribution(name) for name in RUNTIME]
    except importlib.metadata.PackageNotFoundError as missing:
        raise LocalError(
            f"Lambda's runtime for Python is not installed ({missing.name}): it is, by `make run`,"
            " on Linux; elsewhere use `--runtime local`"
        ) from None
    for name in SDK:
        try:
            parts.append(importlib.metadata.distribution(name))
        except importlib.metadata.PackageNotFoundError:
            continue
    state = "".join(f"{part.name} {part.version} {part.locate_file('')}\n" for part in parts)
    place = folder / f"runtime-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
    with _one_at_a_time(folder):
        if place.exists():
            return place
        with _temporary(folder) as made:
            for part in parts:
                for name in {file.parts[0] for file in part.files or ()} - {"..", "__pycache__"}:
                    (made / name).symlink_to(Path(str(part.locate_file(name))))
            made.rename(place)
    return place


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """A folder that is removed, unless it was given its name: made whole, or not at all."""
    made = Path(tempfile.mkdtemp(dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Several processes may want the same at the same time."""
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
