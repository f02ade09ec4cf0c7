"""The pages and what they load, read once from `static/`, which ships as it lies."""

import functools
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from string import Template

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A text file and the media type it is served as."""

    text: str
    media_type: str


@functools.cache
def assets() -> dict[str, Asset]:
    """Everything that pages load, by file name."""
    found = {}
    for file in files("flashsale.web").joinpath("static").iterdir():
        media_type = TYPES.get(f".{file.name.rpartition('.')[2]}")
        if media_type:
            found[file.name] = Asset(file.read_text(encoding="utf-8"), media_type)
    return found


@functools.cache
def version() -> str:
    """A name of the assets' content, all together: their addresses hold it, so that a browser may
    keep them for ever, and modules of two deployments never mix."""
    digest = hashlib.sha256()
    for name, asset in sorted(assets().items()):
        digest.update(f"{name}\0{asset.text}\0".encode())
    return digest.hexdigest()[:12]


@functools.cache
def page(name: str) -> str:
    """The HTML of a page; `$assets` in it is where this version's assets are."""
    text = files("flashsale.web").joinpath("static", f"{name}.html").read_text(encoding="utf-8")
    return Template(text).substitute(assets=f"/assets/{version()}")


@functools.cache
def etag(text: str) -> str:
    """The entity tag that names exactly this text."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
