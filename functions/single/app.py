"""The whole shop in one function (Shape single): hands each event, as it came, to the function
whose route it is. They lie beside this one in the package, as they lie in the repository."""

import functools
import importlib.util
from pathlib import Path
from typing import Any

FUNCTIONS = {
    "POST /checkout": "checkout",
    "POST /purchase": "purchase",
    "GET /stats": "stats",
    "GET /health": "health",
    "GET /items": "items",
    "GET /items/{id}": "items",
    "GET /items/{id}/image": "picture",
    "$default": "unrouted",
}
OTHERS = "storefront"


def handler(event: dict[str, Any], context: Any) -> Any:
    return _handler(FUNCTIONS.get(event["routeKey"], OTHERS))(event, context)


@functools.cache
def _handler(name: str) -> Any:
    file = Path(__file__).parents[1] / name / "app.py"
    spec = importlib.util.spec_from_file_location(f"functions.{name}.app", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"no function {name}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler
