"""One shape for the events of HTTP: API Gateway's HTTP API sends payload format 2.0, its REST API
format 1.0 ("Working with AWS Lambda proxy integrations for HTTP APIs", "Input format of a Lambda
function for proxy integration"). The second becomes the first, so that there is one parser and one
verdict."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

Event = Mapping[str, Any]


def as_http_api(event: Event) -> Event:
    """The event in payload format 2.0, as far as `Request` reads it; itself, if it is one."""
    if event.get("version") == "2.0" or "httpMethod" not in event:
        return event
    context = event.get("requestContext") or {}
    claims = (context.get("authorizer") or {}).get("claims")
    method, path = event["httpMethod"], event.get("path", "/")
    return {
        "version": "2.0",
        "routeKey": f"{method} {event.get('resource', path)}",
        "rawPath": path,
        # REST has decoded the values already; encoded anew they pass the one parser.
        "rawQueryString": urlencode(
            event.get("multiValueQueryStringParameters") or {}, doseq=True, errors="replace"
        ),
        "headers": {
            name.lower(): ",".join(values)
            for name, values in (event.get("multiValueHeaders") or {}).items()
        },
        "pathParameters": event.get("pathParameters"),
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "sourceIp": (context.get("identity") or {}).get("sourceIp", ""),
            },
            "requestId": context.get("requestId", ""),
            "authorizer": {"jwt": {"claims": claims}} if claims else {},
        },
        "body": event.get("body"),
        "isBase64Encoded": event.get("isBase64Encoded", False),
    }
