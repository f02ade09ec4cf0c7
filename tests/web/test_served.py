"""How pages and assets are served: closed to all that is not ours, and kept as long as they may."""

import base64
import gzip
import re
from typing import Any

import httpx
import pytest
from flashsale.web.application import handler


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_is_html_under_a_strict_policy(client: httpx.Client, path: str) -> None:
    reply = client.get(path)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().partition(" ")[::2] for part in
                  reply.headers["content-security-policy"].split(";"))  # fmt: skip
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert not re.search(r" style=|<style|<script(?! type=\"module\" src=)| on\w+=", reply.text)
    assert "http" not in reply.text.replace("https://www.w3.org", "")
    again = client.get(path, headers={"if-none-match": reply.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_assets_are_kept_for_ever_under_their_version(client: httpx.Client) -> None:
    page = client.get("/").text
    address = page.partition('href="')[2].partition("icon.svg")[0]
    reply = client.get(f"{address}base.css")
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert reply.headers["content-encoding"] == "gzip"
    plain = client.get(f"{address}base.css", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert (plain.text, plain.headers["vary"]) == (reply.text, "accept-encoding")
    assert client.get("/assets/older/base.css").headers["cache-control"] == "no-cache"
    for name in ("nothing.js", "shop.html", "..%2fpages.py", "%2e%2e", "base.css%00"):
        reply = client.get(f"{address}{name}")
        assert (reply.status_code, reply.json()["error"]) == (404, "not_found")


def test_the_same_pages_come_from_lambda(client: httpx.Client) -> None:
    """The handler, called as Lambda calls it, answers as the local gateway does."""
    function = handler()
    for path in ("/", "/docs", "/openapi.json", "/assets/x/shop.js", "/assets/x/icon.svg"):
        event = {
            "version": "2.0",
            "routeKey": f"GET {path}",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"host": "shop.example", "accept-encoding": "gzip"},
            "requestContext": {
                "http": {"method": "GET", "path": path, "sourceIp": "192.0.2.1"},
                "requestId": "a",
            },
            "isBase64Encoded": False,
        }
        told = function(event, None)
        here = client.get(path)
        assert told["statusCode"] == here.status_code == 200
        assert told["headers"]["content-type"] == here.headers["content-type"]
        assert _body(told) == here.content


def _body(told: dict[str, Any]) -> bytes:
    body = str(told["body"])
    raw = base64.b64decode(body) if told["isBase64Encoded"] else body.encode()
    return gzip.decompress(raw) if told["headers"].get("content-encoding") == "gzip" else raw
