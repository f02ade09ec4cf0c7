"""Work that a deployment waits for: a custom resource of CloudFormation."""

import asyncio
import json
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from flashsale.errors import ConfigError, Fault
from flashsale.logs import logger

_ANSWER_SECONDS = 20


async def deployed(
    event: Mapping[str, Any], work: Callable[[], Awaitable[Mapping[str, Any]]]
) -> Mapping[str, Any]:
    """Do the work, and tell CloudFormation, if it is who asks, whether that went well: if not, it
    rolls the deployment back. To take the resource away, nothing is done.

    Raises:
        Exception: whatever the work raised, if nobody but our caller waits for the outcome.
    """
    if "ResponseURL" not in event:
        return await work()
    status, reason, result = "SUCCESS", "", {}
    if event["RequestType"] != "Delete":
        try:
            result = dict(await work())
        except Exception as error:  # whatever it is, CloudFormation waits for an answer
            known = isinstance(error, Fault | ConfigError)
            status, reason = "FAILED", str(error) if known else type(error).__name__
            logger().exception("deployment refused")
    answer = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event["LogicalResourceId"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    await asyncio.to_thread(_put, str(event["ResponseURL"]), json.dumps(answer).encode())
    return {"status": status, **result}


def _put(url: str, body: bytes) -> None:
    # The address is signed for a request without a content type.
    request = urllib.request.Request(url, body, {"content-type": ""}, method="PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS):  # noqa: S310 - CloudFormation's
        pass
