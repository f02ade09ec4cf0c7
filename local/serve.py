"""One process of the local gateway: `python -m local.serve`, settings in the environment."""

import asyncio
import functools
import gc
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from local.bounds import Bounds, allow_files
from local.door import Door
from local.express import ExpressProtocol
from local.functions import load_functions
from local.gateway import Gateway, application
from local.protocol import BoundedProtocol
from local.template import Template

if TYPE_CHECKING:
    from local.reload import Reloader

TEMPLATE = Path(__file__).parent.parent / "template.yaml"
GRACE_SECONDS = 8


def main() -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in flight and return."""
    template = Template.read(TEMPLATE)
    for name, value in template.environment.items():
        os.environ.setdefault(name, value)
    from flashsale.config import Settings

    settings, bounds = Settings.read(), Bounds.read()
    allow_files(bounds.files)
    reloader = reloader_of(template)
    functions = reloader.functions if reloader else load_functions(template)
    make = functools.partial(application, processes=settings.workers)
    app = make(functions, template.api)
    config = configuration(app, bounds)
    server = Server(config)
    # uvicorn stops by these once it serves, and raises them once more when it is done. One that
    # comes sooner must not be lost: who sent it would wait in vain.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    collect_garbage_rarely()
    listener = listen(settings.host, settings.port)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        serving = server.serve(sockets=[listener])
        if reloader is None:
            runner.run(serving)
            for function in functions:
                runner.run(function.close())
        else:
            runner.run(
                reloader.beside(serving, lambda new, loaded: app.become(make(loaded, new.api)))
            )


def reloader_of(template: Template) -> "Reloader | None":
    """Whoever follows changes of the code; nobody, unless `flashsale up --reload` asks for it."""
    if "RELOAD_FILE" not in os.environ:
        return None
    from local.reload import Reloader

    return Reloader(TEMPLATE, template, tell=Path(os.environ["RELOAD_FILE"]))


class Server(uvicorn.Server):
    """One that says when it serves, by creating the file named in READY_FILE."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and (ready := os.environ.get("READY_FILE")):
            Path(ready).touch()  # noqa: ASYNC240 - once, at the start


def configuration(
    app: Gateway, bounds: Bounds, http: type[BoundedProtocol] = ExpressProtocol
) -> uvicorn.Config:
    """How uvicorn serves the gateway."""
    protocol = functools.partial(http, bounds=bounds, door=Door(bounds))
    return uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type]  # all that uvicorn does with it is to call it
        loop="auto",
        ws="none",
        access_log=False,
        proxy_headers=False,  # nobody in front of us is trusted to say who is asking
        server_header=False,
        log_level="error",
        timeout_keep_alive=bounds.idle_seconds,  # type: ignore[arg-type]  # any number will do
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def collect_garbage_rarely() -> None:
    """Leave what was made at the start out of every collection, and collect less often: requests
    leave few cycles behind, and looking for them took a tenth of our CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a port that the gateway's processes share: the kernel deals out
    connections among them."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.listen(2_048)
    return listener


if __name__ == "__main__":
    main()
