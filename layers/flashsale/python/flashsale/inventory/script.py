"""Lua scripts by name: what a script's header declares is what Python may pass, by keyword."""

import functools
import hashlib
import importlib.resources
import re
from collections.abc import Iterable
from dataclasses import dataclass

from flashsale.inventory.connection import Argument, Reply, ReplyError
from flashsale.inventory.pipeline import Pipeline

_WITH = re.compile(r"^-- With +([a-z_]+)\.lua$", re.MULTILINE)
_FIELD = re.compile(r"--\s+(?:KEYS|ARGV)?\s*([a-z_]+)\s+(?:hash|zset|stream|int|str)\b")


@dataclass(frozen=True)
class Script:
    """One Lua file. `keys` and `arguments` are the names in its header, in order."""

    name: str
    body: str
    sha: str
    keys: tuple[str, ...]
    arguments: tuple[str, ...]

    async def __call__(
        self,
        pipeline: Pipeline,
        starts_at: int,
        entries: Iterable[Argument] = (),
        /,
        **arguments: Argument,
    ) -> Reply:
        """Run the script on the keys of the sale that starts at `starts_at`.

        Raises:
            TypeError: the arguments are not the ones that the header names.
        """
        if arguments.keys() != set(self.arguments):
            raise TypeError(f"{self.name}.lua takes {self.arguments}, not {tuple(arguments)}")
        parameters = (
            len(self.keys),
            *(sale_key(starts_at, name) for name in self.keys),
            *(arguments[name] for name in self.arguments),
            *entries,
        )
        try:
            return await pipeline.execute("EVALSHA", self.sha, *parameters)
        except ReplyError as error:
            if error.code != "NOSCRIPT":
                raise
            # A restarted Redis has forgotten its scripts; nothing ran.
            return await pipeline.execute("EVAL", self.body, *parameters)


def sale_key(starts_at: int, name: str) -> str:
    """`flash:{1640995200}:claims`: the braces keep a sale in one slot of a cluster."""
    return f"flash:{{{starts_at}}}:{name}"


@functools.cache
def script(name: str) -> Script:
    """Load `lua/<name>.lua`, behind the file that its header says it goes with: Redis knows no
    modules."""
    body = _text(name)
    header = body[: body.index("-- Reply")]
    before, _, after = header.partition("-- ARGV")
    if shared := _WITH.search(header):
        body = _text(shared[1]) + body
    return Script(
        name=name,
        body=body,
        sha=hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest(),
        keys=tuple(_FIELD.findall(before)),
        arguments=tuple(_FIELD.findall("-- ARGV" + after)),
    )


def _text(name: str) -> str:
    resource = importlib.resources.files(__package__) / "lua" / f"{name}.lua"
    return resource.read_text(encoding="utf-8")
