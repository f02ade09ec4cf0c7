"""Which methods a path has, for the answers 404 and 405; the template says so, in ROUTES."""

import re

from flashsale.errors import MethodNotAllowed, NotFound


def unrouted(routes: str, path: str) -> NotFound | MethodNotAllowed:
    """Say what is wrong with a request that met no route.

    `routes` is `METHOD path` by commas, as in `GET /items/{id}, POST /checkout`.
    """
    methods = []
    for route in filter(None, (part.strip() for part in routes.split(","))):
        method, _, template = route.partition(" ")
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path):
            methods.append(method)
    return MethodNotAllowed(", ".join(methods)) if methods else NotFound()
