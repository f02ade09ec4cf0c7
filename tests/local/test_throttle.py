"""The template's throttles: a token bucket a route, and 429 for what finds it empty."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.functions import load_functions
from local.gateway import application
from local.template import Template
from local.throttle import Bucket, Throttle
from tests.local.conftest import Add, serving


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def passing(bucket: Bucket, tries: int = 100) -> int:
    return sum(bucket.take() for _ in range(tries))


def test_a_burst_passes_at_once_and_then_the_rate() -> None:
    clock = Clock()
    bucket = Bucket(Throttle(burst=10, rate=5), clock=clock)
    assert passing(bucket) == 10
    clock.now += 1
    assert passing(bucket) == 5
    clock.now += 0.19
    assert passing(bucket) == 0
    clock.now += 0.02
    assert passing(bucket) == 1
    clock.now += 3_600
    assert passing(bucket) == 10


@given(
    st.integers(1, 50),
    st.floats(0.5, 100),
    st.integers(1, 8),
    st.lists(st.floats(0, 2), min_size=1, max_size=30),
)
def test_however_they_come_processes_together_keep_the_rate(
    burst: int, rate: float, processes: int, pauses: list[float]
) -> None:
    """But for a process whose part of the burst would be less than one request."""
    clock = Clock()
    buckets = [
        Bucket(Throttle(burst, rate), processes=processes, clock=clock) for _ in range(processes)
    ]
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += sum(passing(bucket, 60) for bucket in buckets)
    assert passed <= max(burst, processes) + sum(pauses) * rate + 1e-6


def test_nothing_passes_a_burst_of_none() -> None:
    """In AWS, too: zero closes a route."""
    clock = Clock()
    bucket = Bucket(Throttle(burst=0, rate=0), processes=2, clock=clock)
    clock.now += 3_600
    assert passing(bucket) == 0


def test_a_process_has_room_for_one_request() -> None:
    assert passing(Bucket(Throttle(burst=1, rate=0), processes=4)) == 1
    assert passing(Bucket(Throttle(burst=10, rate=0), processes=4)) == 2


Settings = dict[str, float]


def limits(burst: int, rate: float) -> Settings:
    return {"ThrottlingBurstLimit": burst, "ThrottlingRateLimit": rate}


async def test_each_route_has_a_bucket_of_its_own(add: Add, tmp_path: Path) -> None:
    """The default settings, or the API's for the route, or the event's own."""
    api = {
        "DefaultRouteSettings": limits(3, 0.001),
        "RouteSettings": {"GET /two": limits(2, 0.001)},
    }
    add("All", "GET /one", "GET /other/{id}", "GET /two", api=api)
    add("Event", "GET /four", event={"RouteSettings": {"ThrottlingBurstLimit": 4}})
    async with serving(tmp_path) as client:

        async def passed(path: str) -> int:
            replies = [await client.get(path) for _ in range(6)]
            refused = [reply for reply in replies if reply.status_code == 429]
            for reply in refused:
                assert reply.text == '{"message":"Too Many Requests"}'
                assert reply.headers["content-type"] == "application/json"
            return len(replies) - len(refused)

        assert await passed("/one") == 3
        assert await passed("/other/1") == 3
        assert await passed("/other/2") == 0
        assert await passed("/two") == 2
        assert await passed("/four") == 4


@pytest.mark.parametrize("settings", [{"ThrottlingBurstLimit": 0}, {"ThrottlingRateLimit": 0}])
async def test_half_a_throttle_is_completed_by_the_accounts(
    add: Add, tmp_path: Path, settings: Settings
) -> None:
    """Whose burst is 5,000 and whose rate is 10,000 a second."""
    add("One", "GET /one", api={"DefaultRouteSettings": settings})
    async with serving(tmp_path) as client:
        status = (await client.get("/one")).status_code
    assert status == (429 if "ThrottlingBurstLimit" in settings else 200)


async def test_a_plain_route_stays_on_the_express_lane(
    add: Add, tmp_path: Path, exact: Callable[..., dict[str, str]]
) -> None:
    """And has nothing to decide; one that is guarded has what it needs, on the same lane."""
    settings = {"RouteSettings": {"GET /throttled": limits(3, 1)}}
    add("One", "GET /plain", "GET /throttled", api=settings)
    add("Two", "GET /guarded", event={"TimeoutInMillis": 100})
    assert exact(tmp_path) == {
        "GET /plain": "Invoke",
        "GET /throttled": "Throttled",
        "GET /guarded": "Guarded",
    }


async def test_the_processes_of_a_gateway_share_a_throttle(add: Add, tmp_path: Path) -> None:
    add("One", "GET /one", api={"DefaultRouteSettings": limits(6, 0.001)})
    template = Template.read(tmp_path / "template.yaml")
    one = application(load_functions(template), template.api, processes=2).exact["GET", "/one"]
    scope = {"method": "GET", "path": "/one", "query_string": b"", "http_version": "1.1"}
    statuses = [(await one.respond({**scope, "headers": []}, b""))[0] for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]


async def test_a_throttle_and_all_else_go_together(add: Add, tmp_path: Path) -> None:
    api = {"CorsConfiguration": True, "DefaultRouteSettings": limits(2, 0.001)}
    add("One", "GET /one", api=api)
    async with serving(tmp_path) as client:
        statuses = [(await client.get("/one")).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


@pytest.fixture
def exact() -> Callable[..., dict[str, str]]:
    """What serves each route of the express lane."""

    def found(folder: Path) -> dict[str, str]:
        template = Template.read(folder / "template.yaml")
        app = application(load_functions(template), template.api)
        return {
            f"{method} {path}": type(each).__name__ for (method, path), each in app.exact.items()
        }

    return found
