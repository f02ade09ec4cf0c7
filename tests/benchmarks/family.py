"""What the service's processes cost: CPU seconds and memory of a process and its descendants."""

import ipaddress
import socket
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import psutil

# A supervisor has one of these in its command line; so have the processes it starts workers with.
FAMILY_WORDS = ("flashsale", "local", "granian", "multiprocessing")


@dataclass(frozen=True)
class Cost:
    """Of all processes with one name: CPU over the run, and memory when the family's peaked."""

    cpu_seconds: float
    pss_bytes: int
    processes: int


@dataclass(frozen=True)
class FamilyCost:
    """RSS counts a page once for each process that has it; PSS shares it out among them."""

    root: str
    cpu_seconds: float
    rss_bytes_peak: int
    pss_bytes_peak: int
    unreadable: int  # processes whose memory we may not read
    by_name: dict[str, Cost]


@dataclass
class _Member:
    name: str
    cpu_before: float
    cpu_last: float


class Family:
    """The processes under some roots: `start`, `sample` now and then, then ask for the `cost`."""

    def __init__(self, roots: list[psutil.Process]) -> None:
        """Nothing is read yet."""
        self._roots = roots
        self._members: dict[psutil.Process, _Member] = {}
        self._rss_peak = self._pss_peak = self._unreadable = 0
        self._at_peak: dict[str, tuple[int, int]] = {}  # name -> PSS bytes, processes
        self._root = "; ".join(" ".join(root.cmdline())[:100] for root in roots)

    def start(self) -> None:
        """Takes the first sample: CPU is counted from now on."""
        self.sample()
        for member in self._members.values():
            member.cpu_before = member.cpu_last

    @classmethod
    def listening_on(cls, host: str, port: int) -> "Family | None":
        """The family that serves a port of this machine; None if it isn't here, or isn't ours."""
        if not _is_local(host):
            return None
        try:
            connections = psutil.net_connections("tcp")
        except psutil.AccessDenied:
            return None
        pids = {
            found.pid
            for found in connections
            if found.status == psutil.CONN_LISTEN and found.laddr[1:] == (port,) and found.pid
        }
        roots = list({_supervisor(psutil.Process(pid)) for pid in pids})
        return cls(roots) if roots else None

    def sample(self) -> None:
        """Reads CPU and memory of all members alive now."""
        rss_all = pss_all = unreadable = 0
        by_name: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for process in self._alive():
            try:
                times = process.cpu_times()
                name = process.name()
            except psutil.NoSuchProcess:
                continue
            member = self._members.setdefault(process, _Member(name, 0.0, 0.0))
            member.cpu_last = times.user + times.system
            try:
                rss, pss = _memory_bytes(process.pid)
            except PermissionError:
                unreadable += 1
                continue
            except (FileNotFoundError, ProcessLookupError):
                continue
            rss_all += rss
            pss_all += pss
            by_name[name] = by_name[name][0] + pss, by_name[name][1] + 1
        self._rss_peak = max(self._rss_peak, rss_all)
        self._unreadable = max(self._unreadable, unreadable)
        if pss_all >= self._pss_peak:
            self._pss_peak, self._at_peak = pss_all, dict(by_name)

    def cost(self) -> FamilyCost:
        """What the samples so far add up to."""
        cpu: dict[str, float] = defaultdict(float)
        for member in self._members.values():
            cpu[member.name] += member.cpu_last - member.cpu_before
        names = sorted(cpu, key=lambda name: -cpu[name])
        return FamilyCost(
            root=self._root,
            cpu_seconds=sum(cpu.values()),
            rss_bytes_peak=self._rss_peak,
            pss_bytes_peak=self._pss_peak,
            unreadable=self._unreadable,
            by_name={name: Cost(cpu[name], *self._at_peak.get(name, (0, 0))) for name in names},
        )

    def _alive(self) -> set[psutil.Process]:
        alive = set()
        for root in self._roots:
            try:
                alive |= {root, *root.children(recursive=True)}
            except psutil.NoSuchProcess:
                continue
        return alive


def _supervisor(process: psutil.Process) -> psutil.Process:
    """The topmost ancestor reached while the parent looks like one of the service's."""
    ours = set(psutil.Process().parents())  # whoever started us too is no supervisor
    for parent in process.parents():
        command = " ".join(parent.cmdline()).replace("/usr/local/", "/usr/")
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


def _memory_bytes(pid: int) -> tuple[int, int]:
    """RSS and PSS of a process."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace")
    kilobytes = {line.split()[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
    return kilobytes["Rss:"] * 1024, kilobytes["Pss:"] * 1024
