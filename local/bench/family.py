"""What the service's processes cost over time: CPU and memory of some roots and all below them."""

import ipaddress
import socket
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import psutil

# A supervisor has one of these in its command line; so have the processes it starts workers with.
FAMILY_WORDS = ("flashsale", "local")
MIB = 1024 * 1024


@dataclass
class Course:
    """One process's, or one program's, CPU and memory at each sample."""

    cpu_seconds: list[float] = field(default_factory=list)  # since the start
    memory_mib: list[float] = field(default_factory=list)
    processes: int = 0  # the most there were at once


@dataclass
class Courses:
    """Samples of a family. Memory is PSS where the system tells it (Linux), else RSS.

    RSS counts a page once for each process that has it; PSS shares it out among them.
    """

    root: str
    seconds: list[float] = field(default_factory=list)  # since the start, one a sample
    by_name: dict[str, Course] = field(default_factory=dict)
    memory_is_pss: bool = True
    unreadable: int = 0  # processes whose memory we may not read


class Family:
    """`start`, `sample` now and then, then look at `courses`."""

    def __init__(self, roots: list[psutil.Process]) -> None:
        """Nothing is read yet."""
        self._roots = roots
        self._names: dict[psutil.Process, str] = {}
        self._cpu: dict[psutil.Process, tuple[float, float]] = {}  # at the start, last seen
        self._began = 0.0
        root = "; ".join(" ".join(root.cmdline())[:100] for root in roots)
        self.courses = Courses(root, memory_is_pss=sys.platform == "linux")

    @classmethod
    def listening_on(cls, host: str, port: int) -> "Family | str":
        """The family that serves a port of this machine, or why it can't be watched."""
        if not _is_local(host):
            return f"the service runs on another machine ({host}), whose processes we can't see"
        try:
            connections = psutil.net_connections("tcp")
        except psutil.AccessDenied:
            return "this system doesn't let us see who listens on the port"
        pids = {
            found.pid
            for found in connections
            if found.status == psutil.CONN_LISTEN and found.laddr[1:] == (port,) and found.pid
        }
        roots = list({_supervisor(psutil.Process(pid)) for pid in pids})
        return cls(roots) if roots else f"no process of ours listens on port {port} of this machine"

    def start(self, began: float) -> None:
        """Takes the first sample: CPU is counted from now on. `began` is a perf_counter."""
        self._began = began
        self.sample(began)

    def sample(self, moment: float) -> None:
        """Reads CPU and memory of all members alive now."""
        first = not self.courses.seconds
        memory: Counter[str] = Counter()
        alive: Counter[str] = Counter()
        unreadable = 0
        for process in self._alive():
            try:
                name = self._name(process)
                times = process.cpu_times()
                memory[name] += _memory_bytes(process)
            except (PermissionError, psutil.AccessDenied):
                unreadable += 1
                continue
            except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
                continue
            alive[name] += 1
            used = times.user + times.system
            before = self._cpu.get(process, (used if first else 0.0, 0.0))[0]
            self._cpu[process] = before, used
        self._keep(moment, memory, alive)
        self.courses.unreadable = max(self.courses.unreadable, unreadable)

    def _keep(self, moment: float, memory: Counter[str], alive: Counter[str]) -> None:
        cpu: defaultdict[str, float] = defaultdict(float)
        for process, (before, used) in self._cpu.items():  # also of those that have ended
            cpu[self._names[process]] += used - before
        courses, count = self.courses, len(self.courses.seconds)
        courses.seconds.append(moment - self._began)
        for name in sorted(set(memory) | set(courses.by_name) | set(cpu)):
            course = courses.by_name.setdefault(name, Course([0.0] * count, [0.0] * count))
            course.cpu_seconds.append(cpu[name])
            course.memory_mib.append(memory[name] / MIB)
            course.processes = max(course.processes, alive[name])

    def _name(self, process: psutil.Process) -> str:
        if process not in self._names:
            name = _called(process)
            taken = set(self._names.values())
            if name == "gateway":  # its processes share the load: look at each
                number = 1
                while f"gateway {number}" in taken:
                    number += 1
                name = f"gateway {number}"
            self._names[process] = name
        return self._names[process]

    def _alive(self) -> list[psutil.Process]:
        alive = set()
        for root in self._roots:
            try:
                alive |= {root, *root.children(recursive=True)}
            except psutil.NoSuchProcess:
                continue
        return sorted(alive, key=lambda process: process.pid)


def _called(process: psutil.Process) -> str:
    """What a process is in the service; for those that aren't ours, their program's name."""
    command = process.cmdline()
    for word in command:
        if word == "local.serve":
            return "gateway"
        if word in ("local.scheduler", "local.cli"):
            return word.replace("local.cli", "supervisor").removeprefix("local.")
    if any(Path(word).name == "flashsale" for word in command[:3]):
        return "supervisor"
    return process.name().partition(":")[0]


def _supervisor(process: psutil.Process) -> psutil.Process:
    """The topmost ancestor reached while the parent looks like one of the service's."""
    me = psutil.Process()
    ours = {me, *me.parents()}  # whoever started us too is no supervisor
    for parent in process.parents():
        try:
            command = " ".join(parent.cmdline()).replace("/usr/local/", "/usr/")
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            break
        if parent in ours or not any(word in command for word in FAMILY_WORDS):
            break
        process = parent
    return process


def _is_local(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return any(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)


def _memory_bytes(process: psutil.Process) -> int:
    """PSS, or RSS where there is none."""
    if sys.platform != "linux":
        return int(process.memory_info().rss)
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    for line in rollup.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
