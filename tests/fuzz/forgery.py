"""Forges checkout codes: by guessing, by changing good ones, by signing with other keys."""

import base64
import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle, islice

from flashsale.codes import CodeSigner
from flashsale.errors import InvalidCode

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Accepted(AssertionError):
    """A forged code was taken for a good one."""


def forge(count: int, seed: int, progress: Callable[[int], None]) -> Counter[str]:
    """Try `count` forged codes; return how many of each kind were refused.

    Raises:
        Accepted: with the code.
    """
    chance = random.Random(seed)
    signer = CodeSigner({7: chance.randbytes(32), 8: chance.randbytes(32)})
    good = [_minted(signer, chance) for _ in range(100)]
    refused: Counter[str] = Counter()
    for kind, text in islice(_forgeries(good, chance), count):
        try:
            signer.read(text)
        except InvalidCode:
            refused[kind] += 1
        else:
            raise Accepted(f"{kind}: {text!r}")
        if refused.total() % 10_000 == 0:
            progress(10_000)
    return refused


def _forgeries(good: list[str], chance: random.Random) -> Iterator[tuple[str, str]]:
    """Kinds in turn, with a code each that is none of `good`."""
    others = CodeSigner({7: chance.randbytes(32)})
    known = set(good)
    makers: dict[str, Callable[[str], str]] = {
        "guessed": lambda code: "".join(chance.choices(_ALPHABET, k=len(code))),
        "signed with another key": lambda code: _minted(others, chance),
        "one character changed": lambda code: _changed(code, chance),
        "one bit turned": lambda code: _turned(code, chance),
        "cut": lambda code: code[: chance.randrange(len(code))],
        "longer": lambda code: code + chance.choice(_ALPHABET),
        "spelt otherwise": lambda code: _respelt(code, chance),
        "head of one, tail of another": lambda code: _spliced(code, chance.choice(good), chance),
        "tag of zeros": lambda code: _encoded(_decoded(code)[:-16] + bytes(16)),
    }
    for kind, make in cycle(makers.items()):
        code = make(chance.choice(good))
        if code not in known:
            yield kind, code


def _minted(signer: CodeSigner, chance: random.Random) -> str:
    return signer.mint(
        starts_at=chance.randrange(2**31),
        item=chance.randrange(1, 10_001),
        expires_at=chance.randrange(2**31),
        buyer=f"buyer-{chance.randrange(10**6)}",
        nonce=chance.randbytes(16),
    )


def _changed(code: str, chance: random.Random) -> str:
    place = chance.randrange(len(code))
    return code[:place] + chance.choice(_ALPHABET) + code[place + 1 :]


def _turned(code: str, chance: random.Random) -> str:
    raw = bytearray(_decoded(code))
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return _encoded(bytes(raw))


def _respelt(code: str, chance: random.Random) -> str:
    """The same bytes in another spelling: base64 has padding, other alphabets, spare bits."""
    spare = code[:-1] + _ALPHABET[_ALPHABET.index(code[-1]) ^ 1]
    return chance.choice((code + "=", code + "\n", " " + code, code.replace("-", "+"), spare, "x"))


def _spliced(one: str, other: str, chance: random.Random) -> str:
    place = chance.randrange(1, min(len(one), len(other)))
    return one[:place] + other[place:]


def _decoded(code: str) -> bytes:
    return base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
