"""Secrets that live in AWS Secrets Manager: fetched when first needed, kept for five minutes, and
fetched anew by whoever finds that one is out of date."""

import dataclasses
import json

from flashsale.config import Settings
from flashsale.errors import ConfigError

KEPT_SECONDS = 300


def code_keys(settings: Settings, *, fresh: bool = False) -> str:
    """The keys that sign checkout codes, as CODE_KEYS has them. Their secret may also be a JSON
    object of id and hex digits; the first one signs.

    Raises:
        ConfigError: the secret can't be read or does not hold what it should.
    """
    if settings.code_keys or not settings.code_keys_secret:
        return settings.code_keys
    return keys_of(_fetch(settings.code_keys_secret, fresh=fresh))


def keys_of(text: str) -> str:
    """The keys in a secret, as `id:hex,id:hex`."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return ",".join(f"{key_id}:{digits}" for key_id, digits in json.loads(text).items())
    except ValueError:
        raise ConfigError("CODE_KEYS_SECRET names a secret that is no JSON object") from None


def with_db_login(settings: Settings, *, fresh: bool = False) -> Settings:
    """Fill in user and password for PostgreSQL, if a secret holds them.

    Raises:
        ConfigError: as `code_keys`.
    """
    if settings.db_password or not settings.db_secret:
        return settings
    user, password = _login("DB_SECRET", "PostgreSQL", settings.db_secret, fresh=fresh)
    return dataclasses.replace(settings, db_user=user, db_password=password)


def with_redis_login(settings: Settings, *, fresh: bool = False) -> Settings:
    """Fill in user and password for Redis, if a secret holds them.

    Raises:
        ConfigError: as `code_keys`.
    """
    if settings.redis_password or not settings.redis_secret:
        return settings
    user, password = _login("REDIS_SECRET", "Redis", settings.redis_secret, fresh=fresh)
    return dataclasses.replace(settings, redis_username=user, redis_password=password)


def _login(setting: str, store: str, name: str, *, fresh: bool) -> tuple[str, str]:
    """User and password, as AWS keeps them for a database: a JSON object with these keys."""
    try:
        login = json.loads(_fetch(name, fresh=fresh))
        return str(login["username"]), str(login["password"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{setting} names a secret without username and password for {store}"
        ) from None


def _fetch(name: str, *, fresh: bool) -> str:
    # Imported here: who keeps the keys in the environment need not have boto3, nor wait for it.
    from aws_lambda_powertools.utilities import parameters
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

    try:
        return str(
            parameters.get_secret(
                name, max_age=KEPT_SECONDS, force_fetch=fresh, VersionStage="AWSCURRENT"
            )
        )
    except GetParameterError:
        raise ConfigError(f"the secret {name} can't be read from Secrets Manager") from None
