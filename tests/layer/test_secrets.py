"""Secrets of AWS Secrets Manager become settings. moto answers in AWS's place."""

import json
from collections.abc import Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parameters import base
from flashsale.config import Settings
from flashsale.errors import ConfigError
from flashsale.secrets import with_secrets
from moto import mock_aws

KEYS = "1:" + "c4" * 32


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("secretsmanager")
    parameters.clear_caches()  # type: ignore[no-untyped-call]
    base.DEFAULT_PROVIDERS.clear()  # type: ignore[attr-defined]


def test_keys_and_login_come_from_the_secrets_that_are_named(secrets_manager: Any) -> None:
    secrets_manager.create_secret(Name="keys", SecretString=KEYS)
    login = {"username": "rds", "password": "canary", "host": "ignored"}
    arn = secrets_manager.create_secret(Name="db", SecretString=json.dumps(login))["ARN"]
    acl = {"username": "valkey", "password": "canary"}
    secrets_manager.create_secret(Name="redis", SecretString=json.dumps(acl))
    settings = with_secrets(Settings(code_keys_secret="keys", db_secret=arn, redis_secret="redis"))
    assert settings.code_keys == KEYS
    assert (settings.db_user, settings.db_password) == ("rds", "canary")
    assert (settings.redis_username, settings.redis_password) == ("valkey", "canary")
    assert settings.db_host == "127.0.0.1"
    assert "canary" not in repr(settings)
    assert "c4c4" not in repr(settings)


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
    assert with_secrets(settings) is settings


def test_without_named_secrets_aws_is_not_asked() -> None:
    settings = Settings()
    assert with_secrets(settings) is settings


def test_a_secret_that_is_not_there_is_named(secrets_manager: Any) -> None:
    with pytest.raises(ConfigError, match="the secret nowhere can't be read"):
        with_secrets(Settings(code_keys_secret="nowhere"))
    with pytest.raises(ConfigError, match="the secret neither can't be read"):
        with_secrets(Settings(db_secret="neither"))


@pytest.mark.parametrize("setting", ["DB_SECRET", "REDIS_SECRET"])
@pytest.mark.parametrize("content", ["canary", "[]", '"canary"', '{"username": "canary"}', "null"])
def test_a_secret_without_a_login_is_refused_and_not_shown(
    secrets_manager: Any, content: str, setting: str
) -> None:
    secrets_manager.create_secret(Name="login", SecretString=content)
    with pytest.raises(ConfigError, match=setting) as caught:
        with_secrets(Settings.read({setting: "login"}))
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__
