"""The environment variables of an environment: Lambda's own, the template's, the local stores'."""

import os
import sys
from collections.abc import Collection
from pathlib import Path

from local.runtime.context import Facts, region
from local.runtime.layout import Layout
from local.template import FunctionSpec, Template

# Who the function is to AWS, or to what stands for it here.
_AWS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "LOCALSTACK_HOST",
)


def given_variables(
    spec: FunctionSpec, template: Template, *, settings: Collection[str]
) -> dict[str, str]:
    """The template's variables for this function, each as this process has it, if it does; and, of
    this process's, those that are `settings` of the functions though the template doesn't set them,
    as the local stores' passwords: in the cloud they are secrets."""
    others = {name for other in template.functions for name in other.environment}
    known = {*spec.environment, *_AWS, *(set(settings) - others)}
    ours = {name: os.environ[name] for name in known if name in os.environ}
    return {**spec.environment, **ours}


def lambda_variables(
    spec: FunctionSpec, facts: Facts, layout: Layout, *, runtime_api: str
) -> dict[str, str]:
    """What Lambda sets; a template can't set these."""
    return {
        "_HANDLER": spec.handler,
        "AWS_DEFAULT_REGION": region(),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": facts.log_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": facts.log_stream_name,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_REGION": region(),
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "LAMBDA_RUNTIME_DIR": str(layout.path[-1]),
        "LAMBDA_TASK_ROOT": str(layout.task),
        "LANG": "C.UTF-8",
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(map(str, layout.path)),
        "TZ": ":UTC",
    }


def command(spec: FunctionSpec) -> list[str]:
    """Lambda's runtime, by this interpreter without the packages that are installed for it."""
    base = Path(getattr(sys, "_base_executable", sys.executable))
    return [str(base), "-S", "-m", "awslambdaric", spec.handler]
