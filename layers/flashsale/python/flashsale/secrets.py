"""Secrets that live in AWS Secrets Manager, fetched when a process starts to work."""

import dataclasses
import json

from flashsale.config import Settings
from flashsale.errors import ConfigError


def with_secrets(settings: Settings) -> Settings:
    """Fill CODE_KEYS and the stores' users and passwords from the secrets that are named.

    Raises:
        ConfigError: a secret can't be read or does not hold what it should.
    """
    if settings.code_keys_secret and not settings.code_keys:
        keys = _fetch(settings.code_keys_secret)
        settings = dataclasses.replace(settings, code_keys=keys)
    if settings.db_secret and not settings.db_password:
        user, password = _login("DB_SECRET", "PostgreSQL", settings.db_secret)
        settings = dataclasses.replace(settings, db_user=user, db_password=password)
    if settings.redis_secret and not settings.redis_password:
        user, password = _login("REDIS_SECRET", "Redis", settings.redis_secret)
        settings = dataclasses.replace(settings, redis_username=user, redis_password=password)
    return settings


def _login(setting: str, store: str, name: str) -> tuple[str, str]:
    """User and password, as AWS keeps them for a database: a JSON object with these keys."""
    try:
        login = json.loads(_fetch(name))
        return str(login["username"]), str(login["password"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{setting} names a secret without username and password for {store}"
        ) from None


def _fetch(name: str) -> str:
    # Imported here: who keeps the keys in the environment need not have boto3, nor wait for it.
    from aws_lambda_powertools.utilities import parameters
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

    try:
        return str(parameters.get_secret(name))
    except GetParameterError:
        raise ConfigError(f"the secret {name} can't be read from Secrets Manager") from None
