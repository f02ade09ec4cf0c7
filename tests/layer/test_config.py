"""Settings: read once, each checked, and a wrong one named."""

import dataclasses
from dataclasses import fields

import pytest
from flashsale.config import Settings
from flashsale.errors import ConfigError

KNOWN = fields(Settings)
NUMBERS = [known for known in KNOWN if known.type is int]
CHOICES = [known for known in KNOWN if known.metadata["choices"]]
SECRETS = [known for known in KNOWN if known.metadata["secret"]]


def name(known: "dataclasses.Field[object]") -> str:
    return known.name.upper()


def test_every_setting_has_a_default_a_purpose_and_its_default_obeys_its_rules() -> None:
    defaults = Settings()
    for known in KNOWN:
        assert known.metadata["doc"], known.name
        value = str(getattr(defaults, known.name))
        assert Settings.read({name(known): value}) == defaults


def test_every_number_has_bounds() -> None:
    for known in NUMBERS:
        low, high = known.metadata["minimum"], known.metadata["maximum"]
        assert low is not None, known.name
        assert high is not None, known.name
        for value in (low, high):
            assert getattr(Settings.read({name(known): str(value)}), known.name) == value


@pytest.mark.parametrize("known", NUMBERS, ids=name)
def test_a_number_out_of_bounds_is_refused_by_name_value_and_reason(
    known: "dataclasses.Field[object]",
) -> None:
    for value in (known.metadata["maximum"] + 1, known.metadata["minimum"] - 1):
        if value >= 0:
            with pytest.raises(ConfigError) as caught:
                Settings.read({name(known): str(value)})
            told = str(caught.value)
            assert told.startswith(f"{name(known)} is '{value}', which is not between ")


@pytest.mark.parametrize("text", ["x", "-1", "+1", "1.0", "1_0", " 1", "1\n", "٣", "9" * 5_000])
@pytest.mark.parametrize("known", NUMBERS[:3], ids=name)
def test_what_is_no_number_is_refused_by_name_value_and_reason(
    known: "dataclasses.Field[object]", text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.read({name(known): text})
    assert str(caught.value).startswith(f"{name(known)} is {text!r}, which is not ")


@pytest.mark.parametrize("known", CHOICES, ids=name)
def test_a_choice_that_is_none_is_refused_by_name_value_and_reason(
    known: "dataclasses.Field[object]",
) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.read({name(known): "maybe"})
    choices = ", ".join(known.metadata["choices"])
    assert str(caught.value) == f"{name(known)} is 'maybe', which is not one of {choices}"


@pytest.mark.parametrize("text", ["localhost", "localhost:", ":6379", "localhost:x", "h:65536"])
def test_an_address_that_is_none_is_refused_by_name_value_and_reason(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.read({"REDIS_ADDR": text})
    assert str(caught.value) == f"REDIS_ADDR is {text!r}, which is not of the form host:port"


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.read({name(known): "" for known in KNOWN}) == Settings()


def test_a_variable_that_is_not_ours_is_not_read() -> None:
    assert Settings.read({"HOME": "/", "redis_db": "99", "PATH": "x"}) == Settings()


@pytest.mark.parametrize("known", SECRETS, ids=name)
def test_a_secret_is_never_shown(known: "dataclasses.Field[object]") -> None:
    settings = Settings.read({name(known): "canary"})
    assert getattr(settings, known.name) == "canary"
    assert "canary" not in repr(settings)
    assert "canary" not in str(settings)


def test_the_secrets_are_the_passwords_and_the_keys() -> None:
    assert {known.name for known in SECRETS} == {"redis_password", "db_password", "code_keys"}
