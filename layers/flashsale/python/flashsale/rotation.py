"""Rotates the keys of checkout codes, in the four steps of AWS Secrets Manager.

Two keys are live: the one that signs, and the one that signed before it. So every code that was
handed out stays good, since a code lives for minutes and a key for two rotations.
"""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from flashsale.codes import CodeSigner
from flashsale.errors import ConfigError
from flashsale.secrets import keys_of

_IDS = 256  # a key's id is one byte of the code
_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"


async def rotate(event: Mapping[str, Any]) -> str:
    """Do the step that the event names, and return its name. Each may be repeated.

    Raises:
        ConfigError: the secret holds no keys, or a step is not known.
    """
    step = str(event["Step"])
    if step not in _STEPS:
        raise ConfigError(f"{step} is no step of a rotation")
    secret, version = str(event["SecretId"]), str(event["ClientRequestToken"])
    await asyncio.to_thread(_STEPS[step], _client(), secret, version)
    return step


def renewed(text: str) -> str:
    """A new key before the one that signs now; those before it are dropped."""
    keys = keys_of(text)
    CodeSigner.parse(keys)  # raises ConfigError where these are none
    signing_id, _, digits = keys.split(",")[0].strip().partition(":")
    new_id = (int(signing_id) + 1) % _IDS
    return json.dumps({str(new_id): os.urandom(32).hex(), signing_id: digits})


def _create(client: Any, secret: str, version: str) -> None:
    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"].get(version, [])
    if _CURRENT in stages or (stages and _has_value(client, secret, version)):
        return  # done before, and repeated
    current = client.get_secret_value(SecretId=secret, VersionStage=_CURRENT)["SecretString"]
    client.put_secret_value(
        SecretId=secret,
        ClientRequestToken=version,
        SecretString=renewed(current),
        VersionStages=[_PENDING],
    )


def _has_value(client: Any, secret: str, version: str) -> bool:
    try:
        client.get_secret_value(SecretId=secret, VersionId=version)
    except client.exceptions.ResourceNotFoundException:
        return False  # Secrets Manager has only reserved its name
    return True


def _set(client: Any, secret: str, version: str) -> None:
    """Nobody else has to be told: whoever meets the new key fetches it."""


def _test(client: Any, secret: str, version: str) -> None:
    """What the old key signed, the new keys must read."""
    get = client.get_secret_value
    old = CodeSigner.parse(keys_of(get(SecretId=secret, VersionStage=_CURRENT)["SecretString"]))
    new = CodeSigner.parse(keys_of(get(SecretId=secret, VersionId=version)["SecretString"]))
    for signer in (old, new):
        new.read(signer.mint(starts_at=0, item=1, expires_at=1, buyer="rotation"))


def _finish(client: Any, secret: str, version: str) -> None:
    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    (current,) = [name for name, held in stages.items() if _CURRENT in held]
    if current != version:
        client.update_secret_version_stage(
            SecretId=secret,
            VersionStage=_CURRENT,
            MoveToVersionId=version,
            RemoveFromVersionId=current,
        )


_STEPS: dict[str, Callable[[Any, str, str], None]] = {
    "createSecret": _create,
    "setSecret": _set,
    "testSecret": _test,
    "finishSecret": _finish,
}


def _client() -> Any:
    # Imported here: boto3 takes longer than all the rest of a function together.
    import boto3  # type: ignore[import-untyped]

    return boto3.client("secretsmanager")
