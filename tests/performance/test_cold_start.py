"""A cold start is as long as its imports: who adds one to a function says so here."""

import pytest

from tests.performance import stage
from tests.performance.invocations import Functions, report, third_party

# What logging and PostgreSQL's driver bring along is theirs to choose; all together take 100 ms.
LOGGING = {"aws_lambda_powertools", "botocore", "jmespath", "typing_extensions"}
POSTGRESQL = {"asn1crypto", "dateutil", "greenlet", "pg8000", "scramp", "six"}
REDIS = {"hiredis"}
PAGES = {"anyio", "idna", "mangum", "sniffio", "starlette"}
ALLOWED = LOGGING | POSTGRESQL | REDIS | {"orjson", "_distutils_hack"}


@pytest.mark.parametrize(
    "name", sorted(file.parent.name for file in stage.ROOT.glob("functions/*/app.py"))
)
def test_no_heavy_module_sneaks_into_a_function(name: str) -> None:
    allowed = ALLOWED | PAGES if name == "storefront" else ALLOWED
    assert third_party(name) <= allowed


def test_the_functions_answer_the_tool_that_times_them() -> None:
    with stage.private_stores() as stores:
        functions = Functions(stores, mode="stream")
        functions.open()
        cost = functions.measure("purchase", colds=1, warms=3)
    assert (cost.scripts, cost.commits) == (2, 1)  # claim and confirm; the sale
    assert cost.cold_ms > cost.import_ms > 0
    assert "purchase" in report([cost])
