"""What a server uses: CPU seconds and memory of all its processes, also of those that live for a few milliseconds.

Exim forks twice per message and lets the kernel forget the children (SIGCHLD ignored), so neither /proc/PID/stat nor the
children's times of its daemon hold the whole truth. A control group does: `Group` makes one below our own, v2 or v1
cpuacct, and takes it away at the end. Where none may be made, `method` says "proc" and CPU is the sum over living
descendants of their own and their reaped children's times: too low for Exim, right for Postfix and Pillarbox to within
processes that died unreaped.

Memory is the sum of PSS (shared pages count once), sampled from a thread; root needed for other users' processes.
"""

import contextlib
import os
import threading
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
TICKS = os.sysconf("SC_CLK_TCK")


class Group:
    """The processes of one server."""

    def __init__(self, name: str) -> None:
        self.root_pid = 0
        self.folder = make_group(name)

    @property
    def method(self) -> str:
        """How CPU is counted: cgroup2, cpuacct or proc."""
        if self.folder is None:
            return "proc"
        return "cgroup2" if (self.folder / "cpu.stat").exists() else "cpuacct"

    @property
    def entrance(self) -> str:
        """The file a process writes its own id into, or /dev/null."""
        return str(self.folder / "cgroup.procs") if self.folder else "/dev/null"

    def pids(self) -> list[int]:
        if self.folder is not None:
            return [int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()]
        return descendants(self.root_pid)

    def cpu_seconds(self) -> float:
        """User and system time of all processes so far, dead ones included as far as `method` allows."""
        if self.folder is None:
            return sum(proc_times(pid) for pid in self.pids())
        if self.method == "cpuacct":
            return int((self.folder / "cpuacct.usage").read_text()) / 1e9
        for line in (self.folder / "cpu.stat").read_text().splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
        return 0.0

    def memory_kb(self) -> int:
        return sum(pss_kb(pid) for pid in self.pids())

    def remove(self) -> None:
        if self.folder is None:
            return
        for _ in range(50):
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.1)


def make_group(name: str) -> Path | None:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpuacct" in controllers.split(","):
            candidates = [CGROUPS / "cpuacct" / path.lstrip("/"), CGROUPS / "cpu,cpuacct" / path.lstrip("/")]
        elif not controllers and (CGROUPS / "cgroup.controllers").exists():
            candidates = [CGROUPS / path.lstrip("/")]
        else:
            continue
        for parent in candidates:
            folder = parent / f"pillarbox-bench-{os.getpid()}-{name}"
            with contextlib.suppress(OSError):
                folder.mkdir()
                return folder
    return None


def descendants(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                parents.setdefault(int(stat_fields(int(entry))[1]), []).append(int(entry))
    found: list[int] = []
    todo = [root] if os.path.exists(f"/proc/{root}") else []
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return found


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the command name: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()


def proc_times(pid: int) -> float:
    try:
        return sum(int(value) for value in stat_fields(pid)[11:15]) / TICKS
    except OSError:
        return 0.0


def pss_kb(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        for line in file:
            if line.startswith(b"Pss:"):
                return int(line.split()[1])
    return 0


class MemoryWatch:
    """Samples a group's memory in a thread and keeps the peak."""

    def __init__(self, group: Group, every: float) -> None:
        self.peak_kb = 0
        self._group = group
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.sample()

    def sample(self) -> None:
        self.peak_kb = max(self.peak_kb, self._group.memory_kb())

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            self.sample()
