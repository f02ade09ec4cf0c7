"""What a fuzzer asks: requests made from the contract's own pieces, each piece now and then spoilt;
and the events that API Gateway would make of them, in both of its shapes."""

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

Event = dict[str, Any]
Choice = TypeVar("Choice")

# Function, route, and the parameters that it knows.
ROUTES = (
    ("CheckoutFunction", "POST /checkout", ("user_id", "id")),
    ("PurchaseFunction", "POST /purchase", ("code",)),
    ("StatsFunction", "GET /stats", ()),
    ("HealthFunction", "GET /health", ()),
    ("ItemsFunction", "GET /items", ("after", "limit")),
    ("ItemsFunction", "GET /items/{id}", ()),
    ("PictureFunction", "GET /items/{id}/image", ("sale",)),
    ("UnroutedFunction", "$default", ()),
)
WEIGHTS = (50, 20, 4, 1, 8, 7, 4, 6)
# What has broken other readers of the same inputs.
NASTY = (
    "", " ", "0", "00", "01", "+1", "-1", "1_0", "1.0", "1e3", "0x1", "1\n", "1\r\n", "\x00",
    "1\x00", "٣", "１", "𝟏", "²", "٠١", "\u2028", "\u202e", "\x1b[31m", "é", "e\u0301", "\ufeff",
    "\ufffd", "'; drop table purchases; --", "{{7*7}}", "${jndi:ldap://x}", "<script>",
    "../../etc/passwd", "10001", "65536", "9999999999", "99999999999", "null", "undefined", "NaN",
    "true", "[]", "{}", "%", "%00", "%zz", "a b", "a+b", "a&b", "a=b", "a;b", "a,b",
    "flash:{1}:claims", "*", "🛒",
)  # fmt: skip
_ALPHABET = string.printable + "éß٣１\u2028🛒\x00\x7f"


@dataclass(frozen=True)
class Ask:
    """One request. `raw` is its query as it goes over the wire, `pairs` what that decodes to; None
    where it decodes to nothing that has a meaning."""

    function: str
    route: str
    method: str
    path: str
    raw: str
    pairs: tuple[tuple[str, str], ...] | None
    item: str | None
    headers: dict[str, str]
    body: str | None


class Asker:
    """An endless row of requests, the same for the same seed. `codes` are good checkout codes,
    some of which are sent, whole or spoilt."""

    def __init__(self, seed: int, codes: list[str]) -> None:
        self._random = random.Random(seed)
        self._codes = codes

    def ask(self) -> Ask:
        function, route, known = self._random.choices(ROUTES, WEIGHTS)[0]
        method, _, path = route.rpartition(" ")
        item = None
        if function == "UnroutedFunction":
            method, path = self._choice(("GET", "PUT", "DELETE", "PATCH", "BREW")), self._path()
        elif "{id}" in path:
            item = self._value("id")
            path = path.replace("{id}", quote(item, safe=""))
        pairs = [(name, self._value(name)) for name in known if self._often()]
        self._spoil(pairs)
        raw, readable = self._encode(pairs)
        return Ask(
            function=function,
            route=route,
            method=method,
            path=path,
            raw=raw,
            pairs=tuple(pairs) if readable else None,
            item=item,
            headers={} if self._often() else {"if-none-match": self._text(20)},
            body=None if self._often() else self._choice(("", "x", '{"user_id":"ann"}', "é" * 9)),
        )

    def _spoil(self, pairs: list[tuple[str, str]]) -> None:
        if self._often():
            return
        more = self._choice(("user_id", "id", "code", "sale", "__proto__", "", self._text(4)))
        pairs.insert(self._random.randrange(len(pairs) + 1), (more, self._value(more)))
        if pairs and not self._often():
            pairs.append(self._choice(pairs))
        self._random.shuffle(pairs)

    def _encode(self, pairs: list[tuple[str, str]]) -> tuple[str, bool]:
        raw = "&".join(f"{self._quoted(name)}={self._quoted(value)}" for name, value in pairs)
        if self._often():
            return raw, True
        place = self._random.randrange(len(raw) + 1)
        return raw[:place] + self._choice(("%", "%z1", "%ff", "&", "=", "&&", "#", "é")) + raw[
            place:
        ], False

    def _quoted(self, text: str) -> str:
        """Percent-encoded, more than it need be now and then."""
        if self._often():
            return quote(text, safe="@:._-~")
        return "".join(f"%{byte:02x}" for byte in text.encode())

    def _value(self, name: str) -> str:
        if not self._often():
            return self._choice((self._choice(NASTY), self._text(12), self._text(80)))
        if name in ("id", "after", "limit", "sale"):
            return str(self._random.choice((1, 7, 42, 9_999, 10_000, self._random.getrandbits(20))))
        if name == "code":
            return self._code()
        return f"fuzz-{self._random.randrange(5_000)}"

    def _code(self) -> str:
        code = self._choice(self._codes)
        if self._often():
            return code
        place = self._random.randrange(len(code))
        return code[:place] + self._choice(tuple(_ALPHABET)) + code[place + 1 :]

    def _path(self) -> str:
        return self._choice(("/", "/checkout", "/items/7", "//", "/" + quote(self._text(20))))

    def _text(self, length: int) -> str:
        return "".join(self._random.choices(_ALPHABET, k=self._random.randrange(length + 1)))

    def _choice(self, among: Sequence[Choice]) -> Choice:
        return self._random.choice(among)

    def _often(self) -> bool:
        return self._random.random() < 0.9


def http_event(ask: Ask) -> Event:
    """The request as API Gateway's HTTP API sends it, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": ask.route,
        "rawPath": ask.path,
        "rawQueryString": ask.raw,
        "headers": ask.headers,
        "requestContext": {
            "http": {"method": ask.method, "path": ask.path, "sourceIp": "203.0.113.9"},
            "requestId": "fuzz",
        },
        "isBase64Encoded": False,
        **({"pathParameters": {"id": ask.item}} if ask.item is not None else {}),
        **({"body": ask.body} if ask.body is not None else {}),
    }


def rest_event(ask: Ask) -> Event | None:
    """The same as its REST API sends it, payload format 1.0: values decoded, and lists of them.
    None for a query that it would decode in a way of its own."""
    if ask.pairs is None:
        return None
    lists: dict[str, list[str]] = {}
    for name, value in ask.pairs:
        lists.setdefault(name, []).append(value)
    return {
        "resource": ask.route.rpartition(" ")[2],
        "path": ask.path,
        "httpMethod": ask.method,
        "headers": dict(ask.headers),
        "multiValueHeaders": {name: [value] for name, value in ask.headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in lists.items()} or None,
        "multiValueQueryStringParameters": lists or None,
        "pathParameters": {"id": ask.item} if ask.item is not None else None,
        "requestContext": {"identity": {"sourceIp": "203.0.113.9"}, "requestId": "fuzz"},
        "body": ask.body,
        "isBase64Encoded": False,
    }
