"""The gate's users: the service has the commands it uses, on its keys. Real Valkey."""

import re
from collections.abc import Callable, Iterator

import pytest
import redis
from flashsale.config import Settings
from flashsale.health import Health
from flashsale.inventory import Inventory
from flashsale.ledger import Ledger
from redis.exceptions import AuthenticationError, NoPermissionError

from tests.compose.conftest import INFRA, ROOT

Login = Callable[[str], "redis.Redis"]
INVENTORY = ROOT / "layers/flashsale/python/flashsale/inventory"
# What every connection does, or an operator by hand in the service's name.
BESIDES = {"auth", "ping", "select", "eval", "evalsha"}


@pytest.fixture
def login(valkey_address: str, password: Callable[[str], str]) -> Iterator[Login]:
    """Log in as a user; close all connections in the end."""
    host, _, port = valkey_address.rpartition(":")
    clients = []

    def connect(user: str) -> "redis.Redis":
        clients.append(
            redis.Redis(host, int(port), username=user, password=password(f"redis-{user}"))
        )
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def granted() -> set[str]:
    rules = (INFRA / "valkey/users.acl").read_text()
    (line,) = [line for line in rules.splitlines() if line.startswith("user service ")]
    return {word[1:].partition("|")[0] for word in line.split() if word.startswith("+")}


def used() -> set[str]:
    scripts = "".join(file.read_text() for file in INVENTORY.glob("lua/*.lua"))
    code = "".join(file.read_text() for file in INVENTORY.glob("*.py"))
    in_lua = re.findall(r"redis\.p?call\(\s*'([A-Z]+)'", scripts)
    in_python = re.findall(
        r'(?:execute|_command|exchange)\(\s*\[?\(?"([A-Z]+)"|\("(XRANGE|AUTH|SELECT)"', code
    )
    found = {word.lower() for word in (*in_lua, *(a or b for a, b in in_python))}
    assert {"hget", "info", "evalsha", "xrange"} <= found
    return found


def test_the_service_may_use_the_commands_that_it_uses_and_no_others() -> None:
    assert used() - {"auth"} <= granted()
    assert granted() <= used() | BESIDES


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "FLUSHDB",
        "CONFIG GET maxmemory",
        "CONFIG SET appendonly no",
        "KEYS *",
        "SCAN 0",
        "SHUTDOWN",
        "ACL LIST",
        "CLIENT KILL TYPE normal",
        "SCRIPT FLUSH",
        "SAVE",
        "DEL flash:{1}:sale",
        "SET flash:{1}:sale x",
        "HGET other:{1}:sale id",
        "REPLICAOF NO ONE",
        "PUBLISH flash hello",
    ],
)
def test_the_service_may_not(login: Login, command: str) -> None:
    with pytest.raises(NoPermissionError):
        login("service").execute_command(*command.split())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "command", ["'FLUSHALL'", "'CONFIG', 'GET', 'dir'", "'KEYS', '*'", "'HGET', 'other', 'f'"]
)
def test_a_script_lends_the_service_no_rights(login: Login, command: str) -> None:
    with pytest.raises((NoPermissionError, redis.ResponseError), match=r"ermission|not allowed"):
        login("service").eval(f"return redis.call({command})", 0)


def test_who_has_not_logged_in_may_ask_whether_it_lives_and_nothing_else(
    valkey_address: str,
) -> None:
    host, _, port = valkey_address.rpartition(":")
    with redis.Redis(host, int(port)) as client:
        assert client.ping()
        for command in ("GET x", "INFO", "DBSIZE", "CONFIG GET *", "EVAL return 0"):
            with pytest.raises(NoPermissionError):
                client.execute_command(*command.split())
    with (
        redis.Redis(host, int(port), username="service", password="guess") as stranger,
        pytest.raises(AuthenticationError),
    ):
        stranger.ping()


def test_who_looks_may_read_and_change_nothing(login: Login) -> None:
    viewer, operator = login("viewer"), login("operator")
    operator.hset("flash:{2}:sale", "id", "sale_2")
    try:
        assert viewer.hgetall("flash:{2}:sale") == {b"id": b"sale_2"}
        assert b"flash:{2}:sale" in viewer.scan_iter()
        assert viewer.info("server")["redis_version"]
        for command in ("DEL flash:{2}:sale", "HSET flash:{2}:sale id x", "FLUSHALL", "KEYS *"):
            with pytest.raises(NoPermissionError):
                viewer.execute_command(*command.split())  # type: ignore[no-untyped-call]
    finally:
        operator.delete("flash:{2}:sale")


async def test_health_knows_a_safe_store_without_the_right_to_ask_for_its_configuration(
    served: Settings,
) -> None:
    inventory, ledger = Inventory(served), Ledger(served)
    try:
        checks = await Health(served, inventory, ledger).check()
    finally:
        await inventory.close()
        await ledger.close()
    assert (checks["redis"].status, checks["redis"].problems) == ("up", ())


async def test_health_knows_an_unsafe_store_without_that_right(
    served: Settings, login: Login
) -> None:
    operator = login("operator")
    operator.config_set("maxmemory-policy", "allkeys-lru")
    operator.config_set("appendonly", "no")
    inventory, ledger = Inventory(served), Ledger(served)
    try:
        checks = await Health(served, inventory, ledger).check()
    finally:
        await inventory.close()
        await ledger.close()
        operator.config_set("maxmemory-policy", "noeviction")
        operator.config_set("appendonly", "yes")
    assert checks["redis"].status == "unsafe"
    assert [problem.split()[0] for problem in checks["redis"].problems] == [
        "maxmemory-policy",
        "appendonly",
    ]
