"""The keys of checkout codes are rotated in mid-sale, and no valid code is refused."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.config import Settings
from flashsale.errors import ConfigError, InvalidCode, Unavailable, UnknownKey
from flashsale.keyring import Keyring
from flashsale.rotation import renewed, rotate
from flashsale.secrets import KEPT_SECONDS

from tests.layer.aws import forget, secrets_manager_of_its_own

FIRST = {"1": "5a" * 32}
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def secrets_manager() -> Iterator[Any]:
    with secrets_manager_of_its_own() as client:
        client.create_secret(Name="keys", SecretString=json.dumps(FIRST))
        yield client


async def rotation(client: Any, version: str, steps: tuple[str, ...] = STEPS) -> dict[str, str]:
    """Do what Secrets Manager does; return the keys after it."""
    for step in steps:
        event = {"Step": step, "SecretId": "keys", "ClientRequestToken": version}
        assert await rotate(event) == step
    current = client.get_secret_value(SecretId="keys", VersionStage="AWSCURRENT")
    keys: dict[str, str] = json.loads(current["SecretString"])
    return keys


def keyring(clock: Clock | None = None) -> Keyring:
    """One of a process that fetches by itself, whatever another one has fetched."""
    forget()
    return Keyring(Settings(code_keys_secret="keys"), clock or Clock())


def mint(ring: Keyring, buyer: str = "ann") -> str:
    return ring.signer.mint(starts_at=3_600, item=7, expires_at=4_500, buyer=buyer)


async def test_the_new_key_signs_and_the_one_before_it_is_kept(secrets_manager: Any) -> None:
    first = await rotation(secrets_manager, "1" * 32)
    assert list(first) == ["2", "1"]
    assert first["1"] == FIRST["1"]
    assert len(bytes.fromhex(first["2"])) == 32
    second = await rotation(secrets_manager, "2" * 32)
    assert list(second) == ["3", "2"]
    assert second["2"] == first["2"]


async def test_each_step_may_be_repeated(secrets_manager: Any) -> None:
    """Secrets Manager does so after any failure: there is one new key all the same."""
    once = await rotation(secrets_manager, "1" * 32)
    assert await rotation(secrets_manager, "1" * 32, STEPS * 2) == once
    twice = ("createSecret", "createSecret", "testSecret", "testSecret", "finishSecret")
    assert list(await rotation(secrets_manager, "2" * 32, twice)) == ["3", "2"]


async def test_before_the_last_step_nothing_has_changed(secrets_manager: Any) -> None:
    assert await rotation(secrets_manager, "1" * 32, STEPS[:3]) == FIRST


async def test_a_key_that_does_not_read_the_old_codes_stops_at_the_test(
    secrets_manager: Any,
) -> None:
    secrets_manager.put_secret_value(
        SecretId="keys",
        ClientRequestToken="1" * 32,
        SecretString=json.dumps({"2": "77" * 32}),
        VersionStages=["AWSPENDING"],
    )
    with pytest.raises(InvalidCode):
        await rotation(secrets_manager, "1" * 32, ("testSecret",))


async def test_an_unknown_step_is_refused(secrets_manager: Any) -> None:
    with pytest.raises(ConfigError, match="dropSecret is no step"):
        await rotation(secrets_manager, "1" * 32, ("dropSecret",))


def test_ids_begin_anew_after_the_last() -> None:
    assert list(json.loads(renewed("255:" + "aa" * 32))) == ["0", "255"]
    with pytest.raises(ConfigError):
        renewed("canary")


@pytest.fixture
async def services(
    settings: Settings, secrets_manager: Any
) -> AsyncIterator[tuple[Service, Service]]:
    """Two processes of the shop that have fetched the keys before they are rotated."""
    settings = dataclasses.replace(settings, code_keys="", code_keys_secret="keys")
    made = (bootstrap.build(settings), bootstrap.build(settings))
    await made[0].sales.open_due()
    for service in made:
        assert service.keyring.signer
    yield made
    for service in made:
        await service.close()


async def test_no_valid_code_is_refused_when_keys_rotate_in_mid_sale(
    services: tuple[Service, Service], secrets_manager: Any
) -> None:
    """One process hears of the new key by itself, as a new one would; the other by a code."""
    informed, ignorant = services
    before = [(await informed.shop.checkout(buyer="ann", item=item)).code for item in (1, 2)]
    await rotation(secrets_manager, "1" * 32)
    await asyncio.sleep(1.05)  # the pause between two fetches
    await asyncio.shield(informed.keyring._renew())
    after = [(await informed.shop.checkout(buyer="bob", item=item)).code for item in (3, 4)]
    for seller, codes in ((informed, (before[0], after[0])), (ignorant, (after[1], before[1]))):
        for code in codes:
            assert (await seller.shop.purchase(code)).startswith("purchase_")


async def test_a_code_of_a_new_key_is_fetched_for_and_one_of_no_key_is_refused(
    secrets_manager: Any,
) -> None:
    clock = Clock()
    ring = keyring(clock)
    assert (await ring.read(mint(ring))).buyer == "ann"
    await rotation(secrets_manager, "1" * 32)
    code = mint(keyring())
    with pytest.raises(Unavailable):  # fetched within the last second: it may be newer
        await ring.read(code)
    clock.now += 1
    assert (await ring.read(code)).buyer == "ann"
    forged = Keyring(Settings(code_keys="9:" + "00" * 32))
    clock.now += 1
    with pytest.raises(UnknownKey):
        await ring.read(mint(forged))


async def test_the_same_made_up_key_many_times_asks_aws_once_a_second(
    secrets_manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    ring = keyring(clock)
    assert ring.signer
    asked = []

    def ask(settings: Settings, *, fresh: bool = False) -> str:
        asked.append(fresh)
        return f"1:{FIRST['1']}"

    monkeypatch.setattr("flashsale.keyring.code_keys", ask)
    forged = mint(Keyring(Settings(code_keys="9:" + "00" * 32)))
    clock.now += 1
    told = await asyncio.gather(*(ring.read(forged) for _ in range(50)), return_exceptions=True)
    told += await asyncio.gather(*(ring.read(forged) for _ in range(50)), return_exceptions=True)
    assert asked == [True]
    assert {type(error) for error in told} == {UnknownKey, Unavailable}


async def test_while_aws_is_away_the_keys_at_hand_are_good(
    secrets_manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    ring = keyring(clock)
    known = mint(ring)

    def fail(settings: Settings, *, fresh: bool = False) -> str:
        raise ConfigError("the secret keys can't be read from Secrets Manager")

    monkeypatch.setattr("flashsale.keyring.code_keys", fail)
    clock.now += KEPT_SECONDS + 1
    assert (await ring.read(known)).buyer == "ann"
    await ring.settled()
    clock.now += 1
    with pytest.raises(Unavailable):
        await ring.read(mint(Keyring(Settings(code_keys="9:" + "00" * 32))))


async def test_keys_are_fetched_again_by_themselves(secrets_manager: Any) -> None:
    clock = Clock()
    ring = keyring(clock)
    before, bucket_key = ring.signer, ring.bucket_key()
    await rotation(secrets_manager, "1" * 32)
    clock.now += KEPT_SECONDS + 1
    assert ring.signer is before  # nobody waits for it
    await ring.settled()
    assert ring.signer is not before
    assert ring.bucket_key() != bucket_key


async def test_keys_of_the_environment_stay_as_they_are() -> None:
    """And nobody asks AWS, which would fail here."""
    clock = Clock()
    ring = Keyring(Settings(code_keys="1:" + "5a" * 32, code_keys_secret="keys"), clock)
    before = ring.signer
    clock.now += 10 * KEPT_SECONDS
    assert ring.signer is before
    with pytest.raises(UnknownKey):
        await ring.read(mint(Keyring(Settings(code_keys="9:" + "00" * 32))))


def test_a_service_that_signs_nothing_reads_no_secret(settings: Settings) -> None:
    """Its function may not be allowed to: nothing here answers for AWS."""
    made = bootstrap.build(dataclasses.replace(settings, code_keys="", code_keys_secret="keys"))
    assert made.sales.current()
