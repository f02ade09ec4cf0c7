"""The tools' arithmetic, and that what they measure against answers; nothing about speed."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest

from tests.performance import bare, plans, process, stage
from tests.performance.arbiter import Statement, Work
from tests.performance.client import Address, ClientError, Connection
from tests.performance.cpu import Meter, cpu_seconds
from tests.performance.floor import PARTS, Figures, as_json, ratios, report
from tests.performance.gate import Look
from tests.performance.generator import Load, checkouts, put
from tests.performance.stores import Phase
from tests.performance.stores import as_json as stores_json
from tests.performance.table import table

NONE = dict.fromkeys(PARTS, 0.0)


def figures(*, rate: float, work_us: float) -> Figures:
    """A thousand requests."""
    made = Figures()
    load = Load(requests=1_000, seconds=1_000 / rate, cpu_seconds=0.5)
    made.add(load, {"server": work_us / 1e3 / 2, "valkey": work_us / 1e3 / 2, "postgresql": 0.0})
    return made


def test_figures_are_by_the_request_and_add_up() -> None:
    both = figures(rate=1_000, work_us=100)
    both.add(Load(requests=3_000, seconds=1.0, cpu_seconds=1.5), {**NONE, "server": 0.35})
    assert both.rate == pytest.approx(2_000)
    assert both.cpu_us("server") == pytest.approx(100)
    assert both.cpu_us("generator") == pytest.approx(500)
    assert both.work_us == pytest.approx(112.5)


def test_ours_is_held_against_the_floor() -> None:
    known = {name: figures(rate=8_000, work_us=50) for name in bare.KINDS}
    ours = ("checkout", "pair", "refusal")
    known |= {name: figures(rate=2_000, work_us=200) for name in ours}
    for _, rate, cpu in ratios(known):
        assert rate == pytest.approx(0.25)
        assert cpu == pytest.approx(4)
    assert "pair against commit" in report(known)
    assert set(as_json(known)) == {"servers", "ratios"}


def test_a_sample_belongs_to_the_innermost_of_our_files() -> None:
    codes, shop = "/x/flashsale/codes.py", "/x/flashsale/shop.py"
    assert process.part_of(f"/usr/hmac.py\n{codes}\n{shop}\n/x/flashsale/api.py") == "codes"
    assert process.part_of(f"{shop}\n/x/functions/checkout/app.py") == "selling"
    assert process.part_of("/usr/asyncio/runners.py") == "event loop"
    parts = process.divided(Counter({"codes": 3, "event loop": 1}), 100.0)
    assert (parts["codes"], parts["event loop"], parts["HTTP"]) == (75, 25, 0)
    assert "codes" in process.report({"checkout": parts})


def test_a_phase_is_divided_among_its_requests() -> None:
    before = Look({"evalsha": (10, 100), "hget": (5, 5)}, 1_000, 1_000, 0)
    after = Look({"evalsha": (30, 900), "hget": (5, 5), "info": (2, 50)}, 21_000, 3_000, 64)
    gate = after.since(before)
    assert gate == Look({"evalsha": (20, 800)}, 20_000, 2_000, 64)
    insert = Statement("insert into purchases (code_id) select 1", True, 4, 100, 0.0, 5.0, 600)
    work = Work([insert], {"Transaction/COMMIT": (4, 136, 0), "Heap/INSERT": (100, 900, 64)})
    phase = Phase("purchase", Load(requests=100), gate, work, {})
    assert (phase.batch, phase.rows, phase.work.commits) == (10, 100, 4)
    assert (work.wal_bytes, work.image_bytes) == (1_100, 64)
    assert phase.each(gate.bytes_in) == 200
    assert json.loads(json.dumps(stores_json(phase)))["valkey"]["bytes_in"] == 20_000


def test_a_plan_is_shown_once_and_says_no_values() -> None:
    message = "duration: {} ms  plan:\nQuery Text: -- why\nselect 1\nQuery Parameters: $1 = 'x'\n"
    plan = "Result  (cost=0.00..0.01 rows=1 width=4)"
    shown = plans.distinct([message.format(at) + plan for at in (0.25, 0.5)] + ["a notice"])
    assert shown == [f"duration: 0.5 ms  plan:\nQuery Text: -- why\nselect 1\n{plan}"]


def test_every_statement_of_the_ledger_has_parameters_for_its_plan() -> None:
    assert set(plans.statements()) == set(plans.parameters(0))


def test_a_table_has_straight_columns() -> None:
    assert (
        table(["what", "us"], [["a", 1.0], ["b", 1_234.5]])
        == "what     us\na      1.00\nb     1,234"
    )


def test_cpu_is_that_of_children_too_also_when_they_have_ended() -> None:
    """A child of a child burns a quarter of a second, one after the other."""
    burn = "import time\nwhile time.process_time() < 0.25: pass"
    twice = (
        "import subprocess, sys, time\n"
        f"for _ in 1, 2: subprocess.run([sys.executable, '-c', {burn!r}])\n"
        "print(flush=True)\ntime.sleep(60)"
    )
    root = subprocess.Popen([sys.executable, "-c", twice], stdout=subprocess.PIPE)
    try:
        with Meter({"burners": root.pid}) as meter:
            assert root.stdout is not None
            root.stdout.readline()
        assert 0.4 < meter.seconds["burners"] < 5
    finally:
        root.kill()
        root.communicate()
    assert cpu_seconds(root.pid) == 0


@pytest.fixture(scope="module")
def stores() -> Iterator[stage.Stores]:
    with stage.private_stores({"fsync": "off"}) as made:
        with made.sql() as sql:
            sql.run(bare.TABLE)
        yield made


@pytest.mark.parametrize("kind", bare.KINDS)
def test_a_floor_answers_and_does_its_one_thing(stores: stage.Stores, kind: str) -> None:
    with stores.sql() as sql, stores.redis() as redis:
        sql.run("truncate floor")
        redis.config_resetstat()
        with stage.floor(stores, kind, processes=2) as served:
            workers = psutil.Process(served.pid).children()
            load = put(
                served.address, checkouts(served.address, range(50)), connections=8, keep=True
            )
        load.expect(200)
        assert len(workers) == 2
        assert not any(worker.is_running() for worker in workers)
        assert load.bodies == [bare.BODY] * 50
        assert load.codes() == ["A" * 96] * 50
        # One more than we sent: the look whether it is there.
        assert sql.run("select count(*) from floor") == [[51 if kind == "commit" else 0]]
        assert ("cmdstat_evalsha" in redis.info("commandstats")) == (kind != "constant")


def test_pairs_are_purchased_and_what_is_not_wanted_is_said(stores: stage.Stores) -> None:
    with stage.floor(stores, "constant", processes=1) as served:
        orders = checkouts(served.address, range(20))
        load = put(served.address, orders, connections=3, pairs=True)
    assert (load.requests, load.statuses) == (40, {200: 40})
    assert load.bytes_received == 40 * (load.bytes_received // 40) > 40 * len(bare.BODY)
    with pytest.raises(ClientError, match="409"):
        load.expect(409)


class Heard(Connection):
    """A client that hears what it is told, and sends nothing."""

    def __init__(self) -> None:
        super().__init__(Address("127.0.0.1", 1))
        self.answers: list[tuple[int, bytes]] = []
        self._asking = True

    def answered(self, status: int, body: bytes) -> None:
        self.answers.append((status, body))


def test_an_answer_may_be_cut_anywhere() -> None:
    answer = b"HTTP/1.1 409 Conflict\r\nX: 1\r\nContent-Length: 4\r\n\r\nno\r\n"
    for cut in range(1, len(answer)):
        client = Heard()
        client.data_received(answer[:cut])
        assert not client.answers
        client.data_received(answer[cut:])
        assert client.answers == [(409, b"no\r\n")]


def test_nobody_there_is_an_error_and_not_a_figure() -> None:
    with pytest.raises(ClientError, match="refused"):
        put(Address("127.0.0.1", 1), [b""], connections=1)
