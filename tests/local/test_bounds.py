"""The bounds themselves: what they may be set to, and who has to leave when too many come."""

import os
import subprocess
import sys
from dataclasses import dataclass, field, fields

import pytest

from local.bounds import Bounds, variable
from local.door import Door
from local.environment import ROOT
from local.errors import LocalError
from local.events import PAYLOAD_BYTES_MAX


@dataclass(eq=False)
class Guest:
    """A connection that notes whether it was asked to leave."""

    since: float | None
    left: list[float | None] = field(default_factory=list)

    def waiting_since(self) -> float | None:
        return self.since

    def leave(self) -> None:
        self.left.append(self.since)


def test_an_empty_variable_is_the_default_and_others_are_read() -> None:
    read = Bounds.read(
        {
            "GATEWAY_HEAD_SECONDS": "0.25",
            "GATEWAY_URL_BYTES": "1000",
            "GATEWAY_HEADERS": "",
            "GATEWAY_PREFERRED": "GET /a, ANY /b",
        }
    )
    assert (read.head_seconds, read.url_bytes, read.headers) == (0.25, 1_000, Bounds().headers)
    assert read.preferred == ("GET /a", "ANY /b")
    assert Bounds.read({}) == Bounds()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("GATEWAY_HEAD_SECONDS", "0", "above 0 and up to 300"),
        ("GATEWAY_HEAD_SECONDS", "1e2", "a number of seconds"),
        ("GATEWAY_HEADERS", "7", "between 8 and 1000"),
        ("GATEWAY_CONNECTIONS", "-1", "a whole number"),
        ("GATEWAY_IN_FLIGHT", "1.5", "a whole number"),
        ("GATEWAY_PREFERRED", "POST /a,checkout", "of the form POST /path"),
    ],
)
def test_a_wrong_bound_is_refused_by_name_value_and_reason(
    name: str, value: str, reason: str
) -> None:
    with pytest.raises(LocalError) as refused:
        Bounds.read({name: value})
    assert name in str(refused.value)
    assert value.rpartition(",")[2] in str(refused.value)
    assert reason in str(refused.value)


def test_every_default_is_within_its_own_bounds() -> None:
    for known in fields(Bounds):
        if known.name != "preferred":
            Bounds.read({variable(known.name): str(known.default)})


def test_no_body_is_taken_that_could_not_reach_a_function() -> None:
    assert Bounds().body_bytes == PAYLOAD_BYTES_MAX


def test_a_process_that_may_not_open_enough_files_says_so_and_one_that_may_does() -> None:
    """It raises its own limit, as far as the machine lets it."""
    code = (
        "import resource, sys\nfrom local.bounds import allow_files\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))\nallow_files(int(sys.argv[1]))\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )

    def run(wanted: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, str(wanted)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )

    assert run(200).stdout == "200\n"
    assert "GATEWAY_CONNECTIONS needs 300 open files" in run(300).stderr


def test_a_full_house_lets_the_one_go_that_has_waited_longest() -> None:
    door = Door(Bounds(connections=3))
    guests = [Guest(2.0), Guest(None), Guest(1.0)]
    for guest in guests:
        assert door.enter(guest, "a") is None
    assert door.enter(Guest(3.0), "b") is None
    assert [guest.left for guest in guests] == [[], [], [1.0]]
    guests[0].since = 5.0  # it has been served meanwhile
    newcomer = Guest(4.0)
    assert door.enter(newcomer, "b") is None
    assert guests[0].left == []


def test_a_house_full_of_requests_under_way_takes_nobody_else() -> None:
    door = Door(Bounds(connections=2))
    guests = [Guest(None), Guest(None)]
    for guest in guests:
        door.enter(guest, "a")
    newcomer = Guest(1.0)
    refusal = door.enter(newcomer, "b")
    assert refusal is not None
    assert (refusal.status, refusal.error) == (503, "overloaded")
    for gone in (newcomer, guests[0]):
        door.left(gone)
    assert door.enter(Guest(1.0), "b") is None


def test_an_address_has_a_share_and_an_ipv6_network_one_together() -> None:
    door = Door(Bounds(connections_per_address=2))
    first = Guest(1.0)
    assert door.enter(first, "2001:db8::1") is None
    assert door.enter(Guest(1.0), "2001:db8::2") is None
    refusal = door.enter(Guest(1.0), "2001:db8:0:0:9::3%eth0")
    assert refusal is not None
    assert (refusal.status, refusal.error) == (429, "too_many_connections")
    assert door.enter(Guest(1.0), "2001:db8:0:1::1") is None
    assert door.enter(Guest(1.0), "192.0.2.1") is None


def test_the_preferred_routes_are_served_longest() -> None:
    door = Door(Bounds(in_flight=100))
    routes = [("POST", "/purchase"), ("POST", "/checkout"), ("GET", "/stats")]
    assert [door.places(*route) for route in routes] == [100, 80, 60]
    assert door.calm == 60
    assert Door(Bounds(in_flight=100, preferred=())).calm == 100


def test_who_is_told_to_come_again_is_not_told_the_same_as_all_others() -> None:
    door = Door(Bounds(connections=1))
    door.enter(Guest(None), "a")
    told = {
        value
        for _ in range(200)
        if (refusal := door.enter(Guest(None), "a"))
        for name, value in refusal.headers()
        if name == b"retry-after"
    }
    assert told == {b"1", b"2", b"3"}


def test_the_documentation_lists_every_bound_with_its_default() -> None:
    rows = (ROOT / "docs/LIMITS.md").read_text(encoding="utf-8")
    for known in fields(Bounds):
        default = known.default
        shown = f"`{','.join(default)}`" if isinstance(default, tuple) else f"{default:.10g}"
        assert f"| `{variable(known.name)}` | {shown} |" in rows
