"""Scripts by name: headers that are true, keywords that are checked, a cache that may be lost."""

import importlib.resources
import re

import pytest
import redis
from flashsale.config import Settings
from flashsale.inventory import Inventory
from flashsale.inventory.pipeline import Pipeline
from flashsale.inventory.script import Script, script

from tests.layer.conftest import Gate

NAMES = "append checkout claim confirm open overdue persisted release stock".split()
WORDS = {
    "checkout": "available limit_exceeded sold_out rate_limited not_loaded not_open sale_ended"
    " stream_full",
    "claim": "claimed sold sold_out limit_exceeded code_expired sale_ended check overdue"
    " rate_limited not_loaded not_open",
}


def code_of(found: Script) -> str:
    """The script below its header, without what it goes with."""
    return found.body[found.body.index("\n\n", found.body.index("-- KEYS")) :]


@pytest.mark.parametrize("name", NAMES)
def test_a_header_names_the_keys_and_arguments_that_the_code_uses(name: str) -> None:
    found, code = script(name), code_of(script(name))
    named = re.search(r"local ([\w, ]+) = KEYS\[1\](?:, KEYS\[\d\])*\n", code)
    assert named
    assert tuple(named[1].split(", ")) == found.keys
    assert {int(number) for number in re.findall(r"KEYS\[(\d)\]", code)} == set(
        range(1, len(found.keys) + 1)
    )
    unpacked = re.search(r"local ([\w, ]+) = unpack\(ARGV\)", code)
    if unpacked:
        assert tuple(unpacked[1].split(", ")) == found.arguments
    else:
        for place, argument in enumerate(found.arguments, start=1):
            assert re.search(rf"local .*\b{argument}\b.* = .*ARGV\[{place}\]", code), argument
    first_entry = re.search(r"for i = (\d), #ARGV", code)
    assert first_entry is None or int(first_entry[1]) == len(found.arguments) + 1


@pytest.mark.parametrize("name", NAMES)
def test_a_header_names_the_types_of_its_keys(name: str) -> None:
    for key, kind in re.findall(r"--\s+(?:KEYS)?\s*(\w+)\s+(hash|zset|stream) ", script(name).body):
        used = re.findall(rf"redis\.call\('([A-Z]+)', {key}\b", code_of(script(name)))
        prefix = {"hash": "H", "zset": "Z", "stream": "X"}[kind]
        assert all(command.startswith((prefix, "EXPIREAT")) for command in used), key


@pytest.mark.parametrize("name", WORDS)
def test_a_header_names_the_words_that_the_code_answers(name: str) -> None:
    """The words of WORDS are those that test_checkout.py and test_claim.py provoke, each."""
    answered = re.findall(r"(?:return|outcome =|and|or|\{now,) '([a-z_]+)", code_of(script(name)))
    assert set(answered) == set(WORDS[name].split())
    header = script(name).body.removesuffix(code_of(script(name)))
    told = set(re.findall(r"\w+", header[header.index("-- Reply") :]))
    assert set(answered) <= told


@pytest.mark.parametrize("name", NAMES)
async def test_a_wrong_keyword_is_a_type_error_before_redis_is_reached(
    deserted: Settings, name: str
) -> None:
    pipeline = Pipeline(deserted)
    right = dict.fromkeys(script(name).arguments, 1)
    with pytest.raises(TypeError, match=rf"{name}\.lua takes"):
        await script(name)(pipeline, 0, (), **right, more=1)
    if right:
        right.popitem()
        with pytest.raises(TypeError, match=rf"{name}\.lua takes"):
            await script(name)(pipeline, 0, (), **right)


async def test_a_redis_that_forgot_its_scripts_is_taught_them_again(
    gate: Gate, redis_client: "redis.Redis"
) -> None:
    await gate.open()
    for _ in range(2):
        redis_client.script_flush()
        assert await gate.claim((1, "ann", 1)) == ["claimed"]
        assert await gate.confirm((1, "ann", 1)) in (0, 1)
        assert await gate.checkout(("bob", 1)) == ["sold_out"]
        redis_client.delete(gate.key("claims"), gate.key("buyers"), gate.key("pending"))


async def test_every_key_of_a_sale_lies_in_one_slot_of_a_cluster(
    gate: Gate, settings: Settings, redis_client: "redis.Redis"
) -> None:
    await gate.open()
    await gate.claim((1, "ann", 1))
    keys = [key.decode() for key in redis_client.scan_iter()]
    assert len(keys) == 4
    assert {re.sub(r".*\{(\d+)\}.*", r"\1", key) for key in keys} == {str(gate.starts_at)}


async def test_every_script_of_the_package_is_tested_here() -> None:
    folder = importlib.resources.files(Inventory.__module__.rpartition(".")[0]) / "lua"
    names = sorted([*NAMES, "rates"])  # rates.lua goes with others, and test_rates.py tests it
    assert sorted(file.name for file in folder.iterdir()) == [f"{name}.lua" for name in names]
