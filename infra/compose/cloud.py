"""Puts the secrets and schedules where AWS has them: `python -m infra.compose.cloud`.

LocalStack keeps nothing over a restart, so this one stays and looks every ten seconds whether all
is still there. It adds what is missing and changes nothing: a schedule that was paused stays so.
"""

import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
)
from localstack_client.session import Session

from local.eventbridge import described
from local.schedule import Schedule
from local.serve import TEMPLATE
from local.template import FunctionSpec, Template

GROUP = "flashsale"
LOOK_SECONDS = 10.0
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/flashsale-scheduler"

# Secret -> the file of its value or, for a login, the user's name and the file of the password.
KEYS = {"flashsale/code-keys": "code-keys"}
LOGINS = {
    "flashsale/postgres": ("flashsale_serving", "postgres-serving"),
    "flashsale/postgres-owner": ("flashsale_owner", "postgres-owner"),
    "flashsale/redis": ("service", "redis-service"),
}

log = logging.getLogger("flashsale.cloud")


def values(folder: Path) -> dict[str, str]:
    """Every secret by its name, from the files that hold them."""
    found = {name: (folder / file).read_text() for name, file in KEYS.items()}
    for name, (user, file) in LOGINS.items():
        login = {"username": user, "password": (folder / file).read_text()}
        found[name] = json.dumps(login)
    return found


class Cloud:
    """Secrets Manager and EventBridge Scheduler, wherever AWS_ENDPOINT_URL says."""

    def __init__(self, session: Any, region: str) -> None:
        self._secrets = session.client("secretsmanager", region_name=region)
        self._scheduler = session.client("scheduler", region_name=region)
        self._region = region

    def put(self, secrets: dict[str, str], template: Template) -> list[str]:
        """Add what is missing and return the names of what was added.

        It looks before it adds: LocalStack takes the second of a name for a change of the first.
        """
        added = []
        for name in sorted(secrets.keys() - self._names(self._secrets, "list_secrets")):
            self._secrets.create_secret(Name=name, SecretString=secrets[name])
            added.append(name)
        if GROUP not in self._names(self._scheduler, "list_schedule_groups"):
            self._scheduler.create_schedule_group(Name=GROUP)
            added.append(GROUP)
        there = self._names(self._scheduler, "list_schedules", GroupName=GROUP)
        for function in template.functions:
            for schedule in function.schedules:
                if schedule.name not in there and not schedule.rule:
                    self._create(function, schedule)
                    added.append(schedule.name)
        return added

    def _names(self, client: Any, listing: str, **arguments: str) -> set[str]:
        pages = client.get_paginator(listing).paginate(**arguments)
        lists = [value for page in pages for value in page.values() if isinstance(value, list)]
        return {each["Name"] for found in lists for each in found}

    def _create(self, function: FunctionSpec, schedule: Schedule) -> None:
        target: dict[str, Any] = {
            "Arn": f"arn:aws:lambda:{self._region}:{ACCOUNT}:function:{function.name}",
            "RoleArn": ROLE,
            "RetryPolicy": {
                "MaximumRetryAttempts": schedule.retries_max,
                "MaximumEventAgeInSeconds": schedule.age_seconds_max,
            },
        }
        if schedule.input is not None:
            target["Input"] = schedule.input
        self._scheduler.create_schedule(GroupName=GROUP, Target=target, **described(schedule))


def main() -> int:
    """Put everything, say so by creating READY_FILE, and look after it until SIGTERM."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    secrets = values(Path(os.environ.get("SECRETS_DIR", "/run/flashsale")) / "all")
    template = Template.read(TEMPLATE)
    cloud = Cloud(Session(), os.environ["AWS_DEFAULT_REGION"])
    while not ended.is_set():
        try:
            added = cloud.put(secrets, template)
        except (BotoCoreError, ClientError) as fault:
            log.warning(json.dumps({"level": "WARNING", "message": f"no answer: {fault}"}))
        else:
            if added:
                log.info(json.dumps({"level": "INFO", "message": "added", "names": added}))
            Path(os.environ["READY_FILE"]).touch()
        ended.wait(LOOK_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
