"""/health is 503 for a store that answers but may lose what it is told, and says why."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from redis import Redis

from tests.contract.site import Stores, eventually


@contextmanager
def configured(stores: Stores, name: str, value: str) -> Iterator[None]:
    """Sets one of Valkey's options while the block runs."""
    with Redis.from_url(stores.valkey.url, decode_responses=True) as redis:
        before = str(redis.config_get(name)[name])
        redis.config_set(name, value)
        try:
            yield
        finally:
            redis.config_set(name, before)


def both_up(client: httpx.Client) -> bool:
    checks = client.get("/health").json()["checks"]
    return [checks[name]["status"] for name in ("redis", "postgres")] == ["up", "up"]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        (
            "maxmemory-policy",
            "allkeys-lru",
            "maxmemory-policy is allkeys-lru, not noeviction: claims may vanish",
        ),
        ("appendonly", "no", "appendonly is off: a restart forgets every claim"),
    ],
)
def test_a_valkey_that_may_forget_is_unsafe(
    client: httpx.Client, stores: Stores, name: str, value: str, problem: str
) -> None:
    assert both_up(client)
    with configured(stores, name, value):
        reply = client.get("/health")
        assert reply.status_code == 503
        told = reply.json()
        assert (told["success"], told["message"]) == (False, "Service is unhealthy")
        assert told["checks"]["redis"]["status"] == "unsafe"
        assert told["checks"]["redis"]["problems"] == [problem]
        assert told["checks"]["postgres"]["status"] == "up"
    eventually(lambda: both_up(client))


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_postgresql_that_may_lose_a_commit_is_unsafe(
    client: httpx.Client, stores: Stores, name: str
) -> None:
    assert both_up(client)
    stores.sql(f"alter system set {name} = off")
    try:
        stores.sql("select pg_reload_conf()")
        eventually(lambda: client.get("/health").status_code == 503)
        checks = client.get("/health").json()["checks"]
        assert checks["postgres"]["status"] == "unsafe"
        assert checks["postgres"]["problems"] == [f"{name} is off: a crash may lose sales"]
        assert checks["redis"]["status"] == "up"
    finally:
        stores.sql(f"alter system reset {name}")
        stores.sql("select pg_reload_conf()")
    eventually(lambda: both_up(client))
