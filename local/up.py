"""Runs the whole service on this machine: stores, scheduler, gateway; and keeps it running."""

import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from types import FrameType
from typing import Any

from flashsale.config import Settings

from local.addresses import addresses, gateway_url
from local.bounds import Bounds
from local.environment import ROOT, code_keys, data_folder, user_environment, with_template
from local.errors import LocalError
from local.instance import log_file, tell, telling
from local.logfile import rotate
from local.processes import Process
from local.reloads import Reloads
from local.runtime.layout import lay_out
from local.runtime.options import Options
from local.stores import Postgres, Valkey
from local.stores.folder import lock
from local.stores.server import Server
from local.template import Template

READY_SECONDS_MAX = 60
LOOK_SECONDS = 0.1

Say = Callable[[str], None]


class Up:
    """One run of the service in one data folder. `say` shows a line of progress to the user;
    `reload` has the processes follow changes of code and template."""

    def __init__(self, say: Say, *, reload: bool = False) -> None:
        self._say = say
        self._reload = reload
        self._reloads: Reloads | None = None
        self._template = Template.read(ROOT / "template.yaml")
        self._user = user_environment()
        self._environment = with_template(self._user, self._template)
        self.folder = data_folder(self._environment)
        self.log = log_file(self.folder)
        self._stores: list[Server] = []
        self._processes: list[Process] = []
        self._stopping = False
        self._since = 0.0

    def run(self, when_up: Callable[[dict[str, Any]], None]) -> None:
        """Start everything, call `when_up` with what others are told (`instance.told`), and return
        after SIGINT or SIGTERM.

        Raises:
            LocalError, StoreError, ConfigError, TemplateError: one sentence that says what is
                wrong; nothing is left running.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        settings = Settings.read(self._environment)
        Bounds.read(self._environment)
        options = Options.read(self._environment)
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        (self.folder / "ready").mkdir(mode=0o700, exist_ok=True)
        with lock(self.folder, name="Flashsale") as held:
            require_free(settings.host, settings.port)
            try:
                if options.is_lambda:
                    self._lay_out()
                self._start(held.descriptor)
                if not self._stopping:
                    self._since = time.time()
                    with telling(self.folder, self._state()):
                        when_up(self._state())
                        self._keep()
            finally:
                self._end()

    def _start(self, lock_descriptor: int) -> None:
        self._environment |= {"LOG_FILE": str(self.log), "DATA_DIR": str(self.folder)}
        if self._reload:
            file = self.folder / "reloads.jsonl"
            self._environment["RELOAD_FILE"] = str(file)
            self._reloads = Reloads(file)
        if not (self._user.get("CODE_KEYS") or self._user.get("CODE_KEYS_SECRET")):
            self._environment["CODE_KEYS"] = code_keys(self.folder)
        self._start_stores()
        if self._stopping:
            return
        scheduler = self._process("scheduler", "local.scheduler", lock_descriptor)
        workers = Settings.read(self._environment).workers
        gateway = [
            self._process(f"gateway {number}", "local.serve", lock_descriptor)
            for number in range(1, workers + 1)
        ]
        self._say("Opening the sale")
        scheduler.start()
        self._wait(scheduler.is_ready, scheduler)
        if self._stopping:
            return
        self._say(f"Starting the gateway, {workers} processes")
        for process in gateway:
            process.start()
        self._wait(lambda: all(process.is_ready() for process in gateway), *gateway)
        self._wait(self._answers, *gateway)

    def _lay_out(self) -> None:
        """Have the layers built while the user can see it; one gateway process has all
        environments, which share its limit."""
        self._environment["WORKERS"] = "1"
        lay_out(self._template, root=ROOT, folder=self.folder / "build", say=self._say)

    def _start_stores(self) -> None:
        if "REDIS_ADDR" in self._user:
            self._say(f"Using Redis at {self._user['REDIS_ADDR']}")
        else:
            valkey = Valkey(self.folder / "valkey")
            self._say("Starting Valkey")
            self._start_store(valkey)
            self._environment |= {
                "REDIS_ADDR": valkey.address,
                "REDIS_PASSWORD": valkey.password,
                "REDIS_USERNAME": "",
                "REDIS_DB": "0",
                "REDIS_TLS": "off",
            }
        if "DB_HOST" in self._user:
            self._say(f"Using PostgreSQL at {self._user['DB_HOST']}")
        else:
            postgres = Postgres(self.folder / "postgres")
            self._say("Starting PostgreSQL")
            self._start_store(postgres)
            self._environment |= {
                "DB_HOST": postgres.host,
                "DB_PORT": str(postgres.port),
                "DB_USER": postgres.user,
                "DB_PASSWORD": postgres.password,
                "DB_NAME": postgres.database,
                "DB_SSLMODE": "disable",
            }

    def _start_store(self, store: Server) -> None:
        if not self._stopping:
            self._stores.append(store)
            store.start()

    def _process(self, name: str, module: str, lock_descriptor: int) -> Process:
        process = Process(
            name,
            module,
            environment=self._environment,
            log=self.folder / "logs" / f"{name.replace(' ', '-')}.err",
            ready=self.folder / "ready" / name.replace(" ", "-"),
            lock=lock_descriptor,
        )
        self._processes.append(process)
        return process

    def _wait(self, ready: Callable[[], bool], *processes: Process) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not ready() and not self._stopping:
            for process in processes:
                if process.poll() is not None:
                    raise LocalError(f"The {process.name} doesn't start: {process.last_words()}")
            if time.monotonic() > deadline:
                raise LocalError(f"Not ready after {READY_SECONDS_MAX} s: see {self.log.parent}")
            time.sleep(LOOK_SECONDS / 2)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{gateway_url(self._environment)}/stats", timeout=2):  # noqa: S310
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _keep(self) -> None:
        """Watch over everything until told to stop; whatever ends by itself is started again."""
        while not self._stopping:
            for store in self._stores:
                if store.poll() is not None:
                    self._say(f"{store.name} has ended: starting it again")
                    store.start()
                    tell(self.folder, self._state())
            for process in self._processes:
                if process.keep():
                    self._say(f"The {process.name} has ended: started it again")
                    tell(self.folder, self._state())
            for line in self._reloads.new() if self._reloads else ():
                self._say(line)
            rotate(self.log)
            time.sleep(LOOK_SECONDS)

    def _end(self) -> None:
        """End the gateway first, with its requests answered; then whom it needs."""
        if self._processes or self._stores:
            self._say("Stopping")
        for process in reversed(self._processes):
            process.ask_to_end()
        for process in reversed(self._processes):
            process.wait()
        for store in reversed(self._stores):
            store.stop()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _state(self) -> dict[str, Any]:
        """What others are told."""
        stores = {store.name: store.pid for store in self._stores}
        processes = {process.name: process.pid for process in self._processes}
        return {
            "since": self._since,
            "processes": stores | processes,
            **addresses(self._environment),
        }


def require_free(host: str, port: int) -> None:
    """Raise `LocalError` if somebody listens on the port: ours would share it unseen."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LocalError(
                f"Port {port} on {host} can't be had ({os.strerror(error.errno or 0)}): "
                f"choose another one, as in `make run PORT={port + 1}`."
            ) from error
