"""docker-compose.yml, run for real: `make test-compose`.

Needs a Docker Engine with Compose. Images that no registry gives are replaced by stand-ins, which
takes root and a Debian with debootstrap; the names of those that were are printed.
"""

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from local.serve import TEMPLATE
from local.template import Template
from tests.compose.project import ROOT, Project, eventually
from tests.local.running import free_port

ITEMS = 10_000
DOCUMENTATION = ROOT / "docs/COMPOSE.md"


def sale_seconds() -> int:
    """About two hours, such that no sale begins or ends within the next hour: the grid of sales
    begins with the epoch, so its length decides where the edges are."""
    now = int(time.time())
    return next(length for length in range(7_200, 86_400) if 60 <= now % length <= 600)


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    engine = shutil.which("docker") and subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    )
    if (
        not engine
        or engine.returncode != 0
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0
    ):
        pytest.exit("Start a Docker Engine with Compose first, or name one by DOCKER_HOST.", 1)
    settings = {"SALE_SECONDS": str(sale_seconds())}
    made = Project("flashsale-test", port=free_port(), settings=settings)
    made.compose("down", "--volumes", "--remove-orphans")
    stand_ins = made.build()
    tell(f"stand-ins: {', '.join(stand_ins) or 'none, all images are the real ones'}")
    tell(f"up, with nothing there before: {made.up(gateways=2):.1f} s")
    yield made
    made.down(volumes=True)


def tell(line: str) -> None:
    print(f"  {line}", flush=True)


def test_the_contract_holds_through_the_front(project: Project) -> None:
    """All of tests/contract that can be told from outside."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract"]
    done = subprocess.run(
        [*command, "--url", project.url], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6_000:]
    tell(f"contract through the front: {done.stdout.splitlines()[-1]}")


@pytest.mark.parametrize("service", ["gateway", "scheduler", "setup", "front", "redis", "postgres"])
def test_a_container_has_no_rights_to_lose(project: Project, service: str) -> None:
    """By what the kernel says of its first process, and of a file it would write."""
    status = project.run_in(service, "cat", "/proc/1/status")
    told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert told["Uid"].split()[0] != "0"
    assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
    assert told["NoNewPrivs"] == "1"
    writes = ("sh", "-c", "touch /usr/x 2>&1 || true")
    assert "Read-only file system" in project.run_in(service, *writes)


@pytest.mark.parametrize("service", ["gateway", "scheduler", "setup"])
def test_no_secret_is_in_the_environment(project: Project, service: str) -> None:
    secrets = project.docker(
        "run", "--rm", "--volume", f"{project.name}_passwords:/x:ro", "--entrypoint", "sh",
        "flashsale:0.1.0", "-c", "cat /x/*",
    )  # fmt: skip
    assert len(secrets) == 7 * 64 + 2 + 64
    shown = json.dumps(project.inspect(service))
    for start in range(0, len(secrets) - 64, 16):
        assert secrets[start : start + 32] not in shown


def test_nobody_reaches_whom_they_need_not(project: Project) -> None:
    """The stores' network has no front and no LocalStack, and the gateway's none of the world."""
    reach = (
        "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()"
    )
    inside = ("python", "-c", reach)
    for host, port in (("redis", 6379), ("postgres", 5432), ("localstack", 4566)):
        project.run_in("gateway", *inside, host, str(port))
    with pytest.raises(AssertionError, match=r"unreachable|timed out|resolution|not known"):
        project.run_in("gateway", *inside, "1.1.1.1", "53")
    with pytest.raises(AssertionError, match=r"resolution|not known"):
        project.run_in("setup", *inside, "postgres", "5432")
    for host in ("postgres", "redis", "localstack"):
        with pytest.raises(AssertionError):
            project.run_in("front", "wget", "-q", "-T", "3", "-O", "-", f"http://{host}:1/")


def test_the_commands_of_the_documentation_work(project: Project) -> None:
    command = ("psql", "-U", "postgres", "-d", "flashsale", "-c", "SELECT 1;")
    assert "(1 row)" in project.run_in("postgres", *command)
    assert project.run_in("redis", "redis-cli", "ping").strip() == "PONG"
    assert "0 violations" in project.run_in("gateway", "flashsale", "audit")


def test_the_log_is_a_json_object_a_line(project: Project) -> None:
    httpx.get(f"{project.url}/stats").raise_for_status()

    def logged() -> bool:
        lines = project.compose("logs", "--no-log-prefix", "--tail", "50", "gateway").splitlines()
        return any(json.loads(line).get("route") == "GET /stats" for line in lines)

    eventually(logged)


def test_the_schedules_are_those_that_aws_has(project: Project) -> None:
    """Paused there, a schedule rests; LocalStack forgets all, and it is put back."""
    wanted = {
        schedule.name
        for function in Template.read(TEMPLATE).functions
        for schedule in function.schedules
        if not schedule.rule
    }
    code = (
        "from localstack_client.session import Session; c = Session().client('scheduler');"
        "print(*[s['Name'] for s in c.list_schedules(GroupName='flashsale')['Schedules']])"
    )
    names = ("python", "-c", code)
    assert set(project.run_in("setup", *names).split()) == wanted
    (pause,) = re.findall(r"exec setup python -c '\n(.*?)'\n", DOCUMENTATION.read_text(), re.DOTALL)
    project.run_in("setup", "python", "-c", pause)
    noticed = eventually(lambda: "schedules have changed" in project.compose("logs", "scheduler"))
    tell(f"a schedule paused as the documentation says: noticed {noticed:.1f} s later")
    project.compose("restart", "localstack")
    took = eventually(lambda: set(project.run_in("setup", *names).split()) == wanted)
    tell(f"LocalStack restarted: secrets and schedules back {took:.1f} s later")
    gateway = project.containers("gateway")[0]
    project.docker("restart", gateway)
    eventually(lambda: _healthy(project, gateway))
    project.up(gateways=2)


def test_slow_clients_hold_up_nobody(project: Project) -> None:
    """500 connections that begin a request and never end it, and 200 buyers who do."""
    place = (urlsplit(project.url).hostname, project.port)
    slow = [socket.create_connection(place) for _ in range(500)]
    try:
        for each in slow:
            each.sendall(b"POST /checkout?user_id=slow&id=1 HTTP/1.1\r\nHost: x\r\n")
        with httpx.Client(base_url=project.url) as client:
            statuses = [
                client.post("/checkout", params={"user_id": f"quick-{n}", "id": 5_000 + n})
                for n in range(200)
            ]
        served = sum(reply.status_code == 200 for reply in statuses)
        assert served >= 198
        # And each of the slow ones is told so, and let go.
        slow[0].settimeout(20)
        assert slow[0].recv(1_000).startswith(b"HTTP/1.1 408 ")
    finally:
        for each in slow:
            each.close()
    tell(f"{served} of 200 buyers served beside 500 half-open connections")


def test_a_gateway_that_is_stopped_answers_everybody_first(project: Project) -> None:
    """200 requests, some of them under way when a gateway is told to stop: none fails."""
    project.up(gateways=2)
    statuses: list[int] = []
    going = threading.Event()
    going.set()

    def browse() -> None:
        with httpx.Client(base_url=project.url) as client:
            while going.is_set():
                statuses.append(client.get("/stats").status_code)

    crowd = [threading.Thread(target=browse) for _ in range(4)]
    for each in crowd:
        each.start()
    time.sleep(1)  # a crowd is under way
    started = time.monotonic()
    project.docker("stop", project.containers("gateway")[0])
    took = time.monotonic() - started
    going.clear()
    for each in crowd:
        each.join()
    assert set(statuses) == {200}
    assert took < 12
    tell(f"a gateway stopped in {took:.1f} s, and {len(statuses)} requests were all answered")
    project.up(gateways=2)


def test_a_sale_sells_out_while_a_gateway_dies_and_outlives_the_containers(
    project: Project, tmp_path: Path
) -> None:
    """10,000 items through three gateways, one of them killed; then everything is taken down and
    up again. Nothing is lost and nothing sold twice, by SQL and by the service's own audit."""
    project.down(volumes=True)
    project.up(gateways=3)
    assert len(project.containers("gateway")) == 3
    figures = tmp_path / "figures.json"
    bench = subprocess.Popen(
        [
            sys.executable, "-m", "local.cli", "bench", "sellout", "--url", project.url,
            "--users", "64", "--no-report", "--json", str(figures),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        eventually(lambda: _sold(project) > ITEMS // 5)
        victim = project.containers("gateway")[0]
        project.docker("kill", victim)
        sold = _sold(project)
        out, _ = bench.communicate(timeout=300)
    finally:
        bench.kill()
    tell(f"a gateway was killed when {sold} of {ITEMS} items were sold")
    for line in out.strip().splitlines():
        tell(line)
    assert sold < ITEMS, "it died when nothing was left to sell"
    assert len(project.containers("gateway")) == 2
    assert _sold(project) == ITEMS
    assert bench.returncode == 0, out
    audited = _audit(project)
    code, purchase_id = _last_code(project)

    project.down()
    took = project.up(gateways=3)
    tell(f"down and up again: {took:.1f} s")
    assert _audit(project) == audited
    assert _sold(project) == ITEMS
    told = httpx.post(f"{project.url}/checkout", params={"user_id": "late", "id": 1}).json()
    assert told["message"] == "item sold out"
    again = httpx.post(f"{project.url}/purchase", params={"code": code})
    assert again.json()["purchase_id"] == purchase_id
    tell("a code of before still tells its purchase")

    _back_up_and_restore(project)
    assert _audit(project) == audited
    rights = project.sql("select has_database_privilege('flashsale_serving', 'flashsale', 'TEMP')")
    assert rights == [["f"]]
    tell("restored from a dump, as the documentation says")


def _back_up_and_restore(project: Project) -> None:
    """The documentation's own commands, but for the name of the project and of the image."""
    told = DOCUMENTATION.read_text()
    dump = re.search(r"^docker compose (exec -T postgres pg_dump .*) > (\S+)$", told, re.MULTILINE)
    restore = re.search(r"^docker compose (exec -T postgres pg_restore .*) < ", told, re.MULTILINE)
    flush = re.search(r"^docker compose exec redis sh -c '(.*)' - PASSWORD$", told, re.MULTILINE)
    assert dump
    assert restore
    assert flush
    # The dump stays in the container, since a terminal's pipe would carry it as text.
    inside = "/tmp/flashsale.dump"  # noqa: S108 - the container's own
    project.compose("exec", "-T", "postgres", *dump[1].split()[3:], "--file", inside)
    project.sql("create table lost ()")
    project.compose("stop", "front", "gateway", "scheduler")
    project.compose("exec", "-T", "postgres", *restore[1].split()[3:], inside)
    image = ("--entrypoint", "cat", "flashsale:0.1.0", "/x/redis-operator")
    volume = f"{project.name}_passwords:/x:ro"
    password = project.docker("run", "--rm", "--volume", volume, *image)
    project.compose("exec", "-T", "redis", "sh", "-c", flush[1], "-", password)
    project.up(gateways=3)
    assert project.sql("select to_regclass('lost') is null") == [["t"]]


def _healthy(project: Project, container: str) -> bool:
    told = project.docker("inspect", "--format", "{{.State.Health.Status}}", container)
    return told.strip() == "healthy"


def _sold(project: Project) -> int:
    return int(httpx.get(f"{project.url}/stats").json()["stats"]["items_sold"])


def _audit(project: Project) -> Sequence[Sequence[str]]:
    """Hold the ledger against the promises, and the gate against the ledger."""
    rows = project.sql(
        "select count(*), count(distinct item), count(distinct code_id),"
        " count(distinct purchase_id), min(item), max(item) from purchases where state = 'sold'"
    )
    assert rows == [[str(n) for n in (ITEMS, ITEMS, ITEMS, ITEMS, 1, ITEMS)]]
    most = project.sql(
        "select max(n) from (select count(*) n from purchases where state = 'sold'"
        " group by sale, buyer) each"
    )
    assert int(most[0][0]) <= 10
    # Every purchase has the attempt that was let through before it.
    orphans = project.sql(
        "select count(*) from purchases p where state = 'sold' and not exists"
        " (select from attempts a where a.code_id = p.code_id)"
    )
    assert orphans == [["0"]]
    audit = project.run_in("gateway", "flashsale", "audit")
    assert "0 violations" in audit
    attempts = project.sql("select count(*) from attempts")
    tell(f"audit: {rows[0][0]} rows, {rows[0][1]} items, {most[0][0]} of one buyer at most;"
         f" {attempts[0][0]} attempts; {audit.splitlines()[0]}")  # fmt: skip
    return rows


def _last_code(project: Project) -> tuple[str, str]:
    """A code of a purchase, minted once more from what the ledger keeps, and its purchase id."""
    (row,) = project.sql(
        "select replace(code_id::text, '-', ''), extract(epoch from sale)::bigint, item, buyer,"
        " purchase_id from purchases where state = 'sold' order by item limit 1"
    )
    nonce, starts_at, item, buyer, purchase_id = row
    mint = (
        "import boto3, sys, time; from flashsale.codes import CodeSigner;"
        "keys = boto3.client('secretsmanager').get_secret_value("
        "SecretId='flashsale/code-keys')['SecretString'];"
        "nonce, starts, item, buyer = sys.argv[1:];"
        "print(CodeSigner.parse(keys).mint(starts_at=int(starts), item=int(item), buyer=buyer,"
        " nonce=bytes.fromhex(nonce), expires_at=int(time.time()) + 600))"
    )
    code = project.run_in("gateway", "python", "-c", mint, nonce, starts_at, item, buyer)
    return code.strip(), purchase_id
