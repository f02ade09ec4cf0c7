"""A Secrets Manager of a test's own: moto answers in AWS's place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import boto3  # type: ignore[import-untyped]
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parameters import base
from moto import mock_aws

_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}


@contextmanager
def secrets_manager_of_its_own() -> Iterator[Any]:
    """A client of it; what the code under test asks is asked there as well."""
    forget()
    with mock.patch.dict("os.environ", _ENVIRONMENT), mock_aws():
        yield boto3.client("secretsmanager")
    forget()


def forget() -> None:
    """Forget what was fetched, as a new process would have."""
    parameters.clear_caches()  # type: ignore[no-untyped-call]
    base.DEFAULT_PROVIDERS.clear()  # type: ignore[attr-defined]
