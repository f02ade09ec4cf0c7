"""The gateway's process, as its supervisor meets it."""

import os
import signal
import subprocess
import sys

import pytest

from local.environment import ROOT
from tests.local.running import free_port

# A gateway process that is told to stop just before uvicorn listens to signals.
STOPPED_EARLY = """
import os, signal, uvicorn, local.serve

serve = uvicorn.Server.serve

async def stopped_early(self, sockets):
    os.kill(os.getpid(), signal.{name})
    await serve(self, sockets)

uvicorn.Server.serve = stopped_early
local.serve.main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_that_comes_while_it_starts_is_not_lost(number: signal.Signals) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'layers/flashsale/python'}",
        "CODE_KEYS": "1:" + "ab" * 32,
        "PORT": str(free_port()),
    }
    subprocess.run(
        [sys.executable, "-c", STOPPED_EARLY.format(name=number.name)],
        env=environment,
        check=True,
        timeout=60,
    )
