"""A process with a loop's eyes on it: what it puts out, line by line, and how it ends."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from local.stores.process import die_with_parent

_PIECE_BYTES = 65_536
_LINE_BYTES_MAX = 262_144  # of what Lambda would hand to its log in one piece


class WatchedProcess:
    """A running program. `on_lines` gets its output, both streams, lines without their breaks;
    `on_exit` is called once, after the last of them, with what `subprocess` calls its returncode.

    On Linux it is killed when we end, however we do; its children are killed with it.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        on_lines: Callable[[list[bytes]], None],
        on_exit: Callable[[int], None],
    ) -> None:
        self._on_lines, self._on_exit = on_lines, on_exit
        self._loop = asyncio.get_running_loop()
        self._part = b""
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd=folder,
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        assert self._popen.stdout is not None  # noqa: S101 - we asked for it
        self._output = self._popen.stdout.fileno()
        os.set_blocking(self._output, False)
        self._exit = os.pidfd_open(self._popen.pid)
        self._loop.add_reader(self._output, self.read)
        self._loop.add_reader(self._exit, self._ended)
        self._memory = psutil.Process(self._popen.pid)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def read(self) -> None:
        """Hand on what it has put out by now."""
        while True:
            try:
                piece = os.read(self._output, _PIECE_BYTES)
            except BlockingIOError:
                return
            if not piece:
                self._loop.remove_reader(self._output)
                return
            *lines, self._part = (self._part + piece).split(b"\n")
            if len(self._part) > _LINE_BYTES_MAX:
                lines, self._part = [*lines, self._part], b""
            if lines:
                self._on_lines(lines)

    def memory_mb(self) -> int:
        """How much memory it has, in whole MB; 0 if it has ended."""
        try:
            return int(self._memory.memory_info().rss // 1_048_576)
        except psutil.Error:
            return 0

    def kill(self) -> None:
        """End it and its children at once; `on_exit` follows."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    def _ended(self) -> None:
        self._loop.remove_reader(self._exit)
        os.close(self._exit)
        status = self._popen.wait()
        self.kill()  # whoever of its session is left
        self.read()
        if self._part:
            self._on_lines([self._part])
        self._loop.remove_reader(self._output)
        assert self._popen.stdout is not None  # noqa: S101
        self._popen.stdout.close()
        self._on_exit(status)
