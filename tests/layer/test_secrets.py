"""Secrets of AWS Secrets Manager become settings."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flashsale.config import Settings
from flashsale.errors import ConfigError
from flashsale.secrets import code_keys, with_db_login, with_redis_login

from tests.layer.aws import secrets_manager_of_its_own

KEYS = "1:" + "c4" * 32


@pytest.fixture
def secrets_manager() -> Iterator[Any]:
    with secrets_manager_of_its_own() as client:
        yield client


def test_keys_and_logins_come_from_the_secrets_that_are_named(secrets_manager: Any) -> None:
    secrets_manager.create_secret(Name="keys", SecretString=KEYS)
    login = {"username": "rds", "password": "canary", "host": "ignored"}
    arn = secrets_manager.create_secret(Name="db", SecretString=json.dumps(login))["ARN"]
    acl = {"username": "valkey", "password": "canary"}
    secrets_manager.create_secret(Name="redis", SecretString=json.dumps(acl))
    settings = Settings(code_keys_secret="keys", db_secret=arn, redis_secret="redis")
    assert code_keys(settings) == KEYS
    settings = with_redis_login(with_db_login(settings))
    assert (settings.db_user, settings.db_password) == ("rds", "canary")
    assert (settings.redis_username, settings.redis_password) == ("valkey", "canary")
    assert settings.db_host == "127.0.0.1"
    assert "canary" not in repr(settings)


def test_keys_may_be_a_json_object_whose_first_one_signs(secrets_manager: Any) -> None:
    """As CloudFormation makes the first one, and every rotation the next."""
    secrets_manager.create_secret(Name="keys", SecretString='{"7": "aa", "6": "bb"}')
    assert code_keys(Settings(code_keys_secret="keys")) == "7:aa,6:bb"


def test_a_secret_is_kept_until_somebody_wants_it_fresh(secrets_manager: Any) -> None:
    settings = Settings(code_keys_secret="keys")
    secrets_manager.create_secret(Name="keys", SecretString="1:old")
    assert code_keys(settings) == "1:old"
    secrets_manager.put_secret_value(SecretId="keys", SecretString="2:new")
    assert code_keys(settings) == "1:old"
    assert code_keys(settings, fresh=True) == "2:new"
    assert code_keys(settings) == "2:new"


def test_a_value_in_the_environment_comes_first() -> None:
    """Without a call to AWS, which would fail here."""
    settings = Settings(
        code_keys=KEYS,
        code_keys_secret="keys",
        db_password="known",
        db_secret="db",
        redis_password="known",
        redis_secret="redis",
    )
    assert code_keys(settings) == KEYS
    assert with_db_login(settings) is settings
    assert with_redis_login(settings) is settings


def test_without_named_secrets_aws_is_not_asked() -> None:
    settings = Settings()
    assert code_keys(settings) == ""
    assert with_db_login(settings) is with_redis_login(settings) is settings


def test_a_secret_that_is_not_there_is_named(secrets_manager: Any) -> None:
    with pytest.raises(ConfigError, match="the secret nowhere can't be read"):
        code_keys(Settings(code_keys_secret="nowhere"))
    with pytest.raises(ConfigError, match="the secret neither can't be read"):
        with_db_login(Settings(db_secret="neither"))


@pytest.mark.parametrize("content", ["canary", "[]", '"canary"', '{"username": "canary"}', "null"])
@pytest.mark.parametrize(
    ("name", "settings", "fill"),
    [
        ("DB_SECRET", Settings(db_secret="login"), with_db_login),
        ("REDIS_SECRET", Settings(redis_secret="login"), with_redis_login),
    ],
)
def test_a_secret_without_a_login_is_refused_and_not_shown(
    secrets_manager: Any,
    name: str,
    settings: Settings,
    fill: Callable[[Settings], Settings],
    content: str,
) -> None:
    secrets_manager.create_secret(Name="login", SecretString=content)
    with pytest.raises(ConfigError, match=name) as caught:
        fill(settings)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_broken_json_of_keys_is_refused_and_not_shown(secrets_manager: Any) -> None:
    secrets_manager.create_secret(Name="keys", SecretString='{"1": "canary"')
    with pytest.raises(ConfigError, match="CODE_KEYS_SECRET") as caught:
        code_keys(Settings(code_keys_secret="keys"))
    assert "canary" not in str(caught.value)
