"""One spelling for each input, and a JSON answer to everything else (which `client` minds)."""

import contextlib
import json
import re
import socket

import httpx
import pytest
from flashsale.request import QUERY_BYTES_MAX

from local.invoke import BODY_BYTES_MAX
from tests.contract.conftest import Fresh
from tests.contract.site import Site


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "user_id is required"),
        ("id=1", "user_id is required"),
        ("user_id=a", "id is required"),
        ("user_id=&id=1", "user_id is required"),
        ("user_id=a&id=", "id is required"),
        ("user_id=a&id=1&id=1", "id is given twice"),
        ("user_id=a&user_id=b&id=1", "user_id is given twice"),
        ("user_id=a&id=1&color=red", "unknown parameter: this path takes user_id, id"),
        ("user_id=a&id=1&", "unknown parameter: this path takes user_id, id"),
        ("USER_ID=a&id=1", "unknown parameter: this path takes user_id, id"),
        ("user_id=%E2%80%8Ba&id=1", "parameters must be plain ASCII"),
        ("user_id=a&id=%D9%A1", "parameters must be plain ASCII"),
        *[
            (f"user_id=a&id={spelling}", "id must be a whole number in plain digits")
            for spelling in ("01", "%2B1", "+1", "1_0", "1%0A", "-1", "1.0", "1e3", "0x1", "one")
        ],
        ("user_id=a&id=99999999999", "id must be a whole number in plain digits"),
        *[
            (f"user_id={spelling}&id=1", "user_id must be 1 to 64 of A-Z a-z 0-9 . _ - @ :")
            for spelling in ("a%20b", "a+b", "a%0A", "a%00", "a%2Cb", "%3Cb%3E", "a" * 65)
        ],
    ],
)
def test_a_malformed_checkout_is_400(client: httpx.Client, query: str, message: str) -> None:
    reply = client.post(f"/checkout?{query}")
    assert reply.status_code == 400
    assert reply.json() == {"success": False, "error": "malformed", "message": message}


@pytest.mark.parametrize("buyer", ["a", "a" * 64, "Aa0._-@:", "%61"])
def test_every_character_that_a_buyer_may_have_passes(client: httpx.Client, buyer: str) -> None:
    assert client.post(f"/checkout?user_id={buyer}&id=10000").status_code == 200


@pytest.mark.parametrize(
    "target",
    ["/stats?x=1", "/health?x", "/items?limit=0", "/items?after=-1", "/items/1?after=1"],
)
def test_other_malformed_queries_are_400(client: httpx.Client, target: str) -> None:
    reply = client.get(target)
    assert (reply.status_code, reply.json()["error"]) == (400, "malformed")


def test_an_item_that_is_not_is_404(client: httpx.Client) -> None:
    unknown = {"success": False, "error": "unknown_item", "message": "no such item"}
    for item in ("0", "10001", "4294967297"):
        reply = client.post(f"/checkout?user_id=a&id={item}")
        assert (reply.status_code, reply.json()) == (404, unknown)
    for place in ("/items/0", "/items/01", "/items/a", "/items/10001", "/items/1%0A"):
        for target in (place, f"{place}/image"):
            reply = client.get(target)
            assert (reply.status_code, reply.json()) == (404, unknown)


@pytest.mark.parametrize(
    "path",
    ["/favicon.ico", "/health/", "/%2Fhealth", "/HEALTH", "/items/", "/items/1/", "/stats%0A",
     "/a%0Ab", "/%00", "/%ff", "/health/..%2F", "/checkout;x=1"],
)  # fmt: skip
def test_an_unknown_path_is_404_whatever_the_method(client: httpx.Client, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS", "HEAD"):
        reply = client.request(method, path)
        assert reply.status_code == 404
    not_found = {"success": False, "error": "not_found", "message": "no such path"}
    assert client.get(path).json() == not_found


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/checkout", "POST"),
        ("/purchase", "POST"),
        ("/stats", "GET"),
        ("/health", "GET"),
        ("/items", "GET"),
        ("/items/1", "GET"),
        ("/items/1/image", "GET"),
        ("/", "GET"),
        ("/docs", "GET"),
    ],
)
def test_another_method_is_405_and_says_which_to_use(
    client: httpx.Client, path: str, allow: str
) -> None:
    """HEAD is not GET here, nor is OPTIONS answered by the gateway."""
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"} - {allow}:
        reply = client.request(method, path)
        assert (reply.status_code, reply.headers["allow"]) == (405, allow)
        if method != "HEAD":
            assert reply.json() == {
                "success": False,
                "error": "method_not_allowed",
                "message": f"method not allowed: use {allow}",
            }


@pytest.mark.parametrize("path", ["/checkout", "/purchase"])
def test_a_body_is_413_however_long(client: httpx.Client, fresh: Fresh, path: str) -> None:
    """Parameters go in the query string; a body that might say otherwise is not read."""
    buyer, item = fresh()
    for content in (b"{}", b"\xff", b"a" * 1_000_000):
        reply = client.post(path, params={"user_id": buyer, "id": item}, content=content)
        if path == "/purchase":
            reply = client.post(path, params={"code": "a"}, content=content)
        assert (reply.status_code, reply.json()["error"]) == (413, "too_large")


def test_a_body_that_reaches_no_function_is_413_in_api_gateways_own_words(
    client: httpx.Client,
) -> None:
    reply = client.post("/checkout", content=b"a" * (BODY_BYTES_MAX + 1))
    assert (reply.status_code, reply.json()["message"]) == (413, "Request Entity Too Large")


def test_a_query_over_the_bound_is_414(client: httpx.Client) -> None:
    """Before anything else is said about it."""
    bound = "user_id=" + "a" * (QUERY_BYTES_MAX - len("user_id="))
    assert client.post(f"/checkout?{bound}").status_code == 400
    for query in (bound + "a", "code=" + "a" * 60_000):
        for path in ("/checkout", "/purchase"):
            reply = client.post(f"{path}?{query}")
            assert reply.status_code == 414
            assert reply.json()["error"] == "too_long"
            assert reply.json()["message"] == "the query string is too long"


def test_no_answer_shows_what_the_client_sent(client: httpx.Client) -> None:
    """Nor what the server is: nothing of a request may come back as markup or into a log."""
    probe = "%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    for method, target in (
        ("POST", f"/checkout?user_id={probe}&id=1"),
        ("POST", f"/checkout?{probe}=1"),
        ("POST", f"/purchase?code={probe}"),
        ("GET", f"/{probe}"),
        ("GET", f"/items/{probe}"),
    ):
        reply = client.request(method, target, headers={"X-Probe": "<script>"})
        assert reply.status_code in (400, 404)
        assert "script" not in reply.text
        assert "server" not in reply.headers
        assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "request_line", ["GET /health HTTP/1.1", "GET http://elsewhere.example/health HTTP/1.1"]
)
def test_two_requests_in_one_packet_get_two_answers_in_order(site: Site, request_line: str) -> None:
    head = f"{request_line}\r\nHost: a\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(f"{head}\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        received = b""
        while len(statuses := re.findall(rb"HTTP/1.1 (\d+)", received)) < 2:
            part = connection.recv(65_536)
            assert part, received
            received += part
    assert statuses == [b"200", b"404"]


@pytest.mark.parametrize("sent", [b"BREW /stats HTTP/1.1", b"GET /\xff HTTP/1.1", b"nonsense"])
def test_what_is_no_http_is_400_in_json(site: Site, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(sent + b"\r\nHost: a\r\n\r\n")
        received = b""
        while part := connection.recv(65_536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/json" in head
    assert json.loads(body)["error"] == "malformed"


def test_a_header_without_end_is_refused_before_it_fills_the_memory(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(b"GET /stats HTTP/1.1\r\nHost: a\r\nX-Long: ")
        received = b""
        while not received:
            with contextlib.suppress(OSError):  # it may have hung up on us
                connection.sendall(b"x" * 4_096)
            connection.setblocking(False)
            try:
                received = connection.recv(65_536)
            except BlockingIOError:
                continue
            finally:
                connection.settimeout(10)
    assert received.startswith(b"HTTP/1.1 431 ")


def test_requests_that_never_end_are_ended_and_hold_up_nobody(site: Site) -> None:
    """Two hundred half-sent requests wait; everybody else is served; five seconds later they go."""
    slow = [socket.create_connection(("127.0.0.1", site.port), timeout=10) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"POST /checkout?user_id=a&id=1 HTTP/1.1\r\nHost: a\r\n")
    assert all(httpx.get(f"{site.url}/stats").status_code == 200 for _ in range(50))
    for connection in slow:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408 ")
        connection.close()
