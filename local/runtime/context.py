"""The context that Lambda hands a function beside the event, for functions in this process."""

import os
import sys
import time
import uuid
from dataclasses import dataclass, field

ACCOUNT = "000000000000"
REGION = "us-east-1"


def region() -> str:
    """The region that the user's settings name, or Lambda's first."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or REGION


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{region()}:{ACCOUNT}:function:{name}"


def log_stream() -> str:
    """A new log stream's name: the day, the version, and 32 hex digits of its own."""
    return f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}"


@dataclass(frozen=True)
class Facts:
    """What is the same for every invocation of a function in one process."""

    function_name: str
    memory_mb: int
    timeout_seconds: int
    arn: str
    log_group_name: str
    log_stream_name: str = field(default_factory=log_stream)

    @classmethod
    def of(cls, name: str, *, memory_mb: int, timeout_seconds: int) -> "Facts":
        return cls(name, memory_mb, timeout_seconds, function_arn(name), f"/aws/lambda/{name}")


class CognitoIdentity:
    """Who asked, for the mobile SDK; nobody, for all others."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self) -> None:
        self.cognito_identity_id = None
        self.cognito_identity_pool_id = None


class Context:
    """The attributes and methods of `awslambdaric.lambda_context.LambdaContext`, of the same types.
    Most functions ask for one of them, if any, so each is worked out when asked for."""

    __slots__ = ("_facts", "_request_id", "_until")

    function_version = "$LATEST"
    client_context = None
    tenant_id = None

    def __init__(self, facts: Facts, request_id: str = "") -> None:
        self._facts = facts
        self._until = time.monotonic() + facts.timeout_seconds
        self._request_id = request_id

    @property
    def aws_request_id(self) -> str:
        if not self._request_id:
            self._request_id = str(uuid.uuid4())
        return self._request_id

    @property
    def function_name(self) -> str:
        return self._facts.function_name

    @property
    def memory_limit_in_mb(self) -> str:
        """Digits: Lambda's runtime hands on what its environment says."""
        return str(self._facts.memory_mb)

    @property
    def invoked_function_arn(self) -> str:
        return self._facts.arn

    @property
    def log_group_name(self) -> str:
        return self._facts.log_group_name

    @property
    def log_stream_name(self) -> str:
        return self._facts.log_stream_name

    @property
    def identity(self) -> CognitoIdentity:
        return CognitoIdentity()

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._until - time.monotonic()) * 1_000))

    def log(self, msg: object) -> None:
        sys.stdout.write(str(msg))

    def w3c(self) -> dict[str, str]:
        """The trace's context; there is none here."""
        return {}
