"""Messages through a server into Maildirs or on to the sink: rate, CPU, latency, memory, and whether all arrived.

A warm-up with a few messages comes first. The clock runs from the first connect until the last message is delivered.
"""

import contextlib
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bench import maildirs
from bench.generator import Result
from bench.meter import MemoryWatch
from bench.result import Cell
from bench.servers.server import (
    DOMAIN,
    PROJECT,
    RELAY_DOMAIN,
    USERS,
    Server,
    Setup,
    Unavailable,
    free_port,
    prepared_peer,
)
from bench.sink import Tally

WARM_UP = 20


@dataclass(frozen=True)
class Load:
    """What to send and how."""

    scenario: str
    messages: int
    concurrency: int
    relay: bool = False
    reuse: bool = False
    tool: str = "own"
    """own: bench.generator; smtp-source: Postfix's."""
    sink: str = "own"
    size: int = 4096
    timeout: float = 300.0


def measure(kind: type[Server], setup: Setup, load: Load, turn: int) -> Cell:
    """Start the server, warm it up, send, wait until all has arrived, stop it."""
    with contextlib.ExitStack() as stack:
        counter: Count
        if load.relay:
            sink = stack.enter_context(
                start_sink(setup.folder.with_name(setup.folder.name + "-sink"), load.sink)
            )
            counter, setup = sink, replace(setup, sink_port=sink.port)
        server = kind(setup)
        stack.callback(server.stop)
        server.prepare()
        server.start()
        if not load.relay:
            counter = MaildirCount(server.maildir_root)
        warm = replace(load, messages=WARM_UP, concurrency=min(load.concurrency, 5), tool="own")
        accepted = send(server, warm, "warm").accepted
        if counter.wait(accepted, 60.0) < WARM_UP:
            raise Unavailable(f"{server.name} did not deliver the warm-up: {server.last_words()}")
        return measure_started(server, load, counter, turn)


def measure_started(server: Server, load: Load, counter: "Count", turn: int) -> Cell:
    run = f"r{turn}x{time.time_ns() % 10**9}"
    settle(server, 5.0)
    before = server.group.cpu_seconds()
    base = counter.total()
    with MemoryWatch(server.group, 0.5) as memory:
        result = send(server, load, run)
        counter.wait(base + result.accepted, load.timeout)
        settle(server, 10.0)
    cpu = server.group.cpu_seconds() - before
    delivered, last, trouble = counter.check(run, base, result)
    seconds = max(last - result.started, 1e-6)
    per_message = max(1, delivered)
    figures = {
        "rate": delivered / seconds,
        "cpu_ms": cpu * 1000 / per_message,
        "memory_mb": memory.peak_kb / 1024,
        "delivered": delivered,
        "accept_rate": result.accepted / max(result.finished - result.started, 1e-6),
        "generator_cpu_ms": result.cpu * 1000 / per_message,
    }
    if result.latencies:
        figures["p50_ms"] = quantile(result.latencies, 0.50) * 1000
        figures["p99_ms"] = quantile(result.latencies, 0.99) * 1000
    return Cell(load.scenario, server.name, turn, figures, trouble)


def settle(server: Server, timeout: float) -> None:
    """Wait until the server has stopped using CPU (log lines, removals), so that all of it is counted."""
    deadline = time.monotonic() + timeout
    used = server.group.cpu_seconds()
    while time.monotonic() < deadline:
        time.sleep(0.3)
        now = server.group.cpu_seconds()
        if now - used < 0.004:
            return
        used = now


def quantile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


# -- sending


def send(server: Server, load: Load, run: str) -> Result:
    if load.tool == "smtp-source":
        return send_with_smtp_source(server, load)
    command = [
        sys.executable, "-m", "bench.generator", "--port", str(server.port), "--run", run,
        "--count", str(load.messages), "--concurrency", str(load.concurrency), "--size", str(load.size),
        "--domain", RELAY_DOMAIN if load.relay else DOMAIN, "--users", str(USERS), "--timeout", str(load.timeout),
    ]  # fmt: skip
    if load.reuse:
        command.append("--reuse")
    done = subprocess.run(command, capture_output=True, cwd=PROJECT, timeout=load.timeout + 60, check=False)
    if done.returncode:
        raise Unavailable("the generator failed: " + done.stderr.decode(errors="replace")[-300:])
    return Result(**json.loads(done.stdout))


def send_with_smtp_source(server: Server, load: Load) -> Result:
    """All to user0: smtp-source cannot go round a hundred users. It tells no latencies and stops at the first refusal."""
    program = str(prepared_peer("postfix") / "usr/sbin/smtp-source")
    command = [
        program, "-s", str(load.concurrency), "-m", str(load.messages), "-l", str(load.size), "-f", f"user1@{DOMAIN}",
        "-t", f"user0@{RELAY_DOMAIN if load.relay else DOMAIN}", "-M", "generator.bench.example",
        *(["-d"] if load.reuse else []), f"127.0.0.1:{server.port}",
    ]  # fmt: skip
    result = Result(started=time.time())
    done = subprocess.run(command, capture_output=True, timeout=load.timeout, check=False)
    result.finished = time.time()
    result.accepted = load.messages
    if done.returncode:
        result.first_complaint = done.stderr.decode(errors="replace").strip()[-200:]
    return result


# -- counting


class Count(Protocol):
    """What has arrived, wherever that is."""

    def total(self) -> int: ...

    def wait(self, wanted: int, timeout: float) -> int: ...

    def check(self, run: str, base: int, result: Result) -> tuple[int, float, str]: ...


class MaildirCount:
    """Counts what lies in the users' Maildirs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def total(self) -> int:
        return maildirs.count_files(self.root)

    def wait(self, wanted: int, timeout: float) -> int:
        return maildirs.wait_for(self.root, wanted, timeout)

    def check(self, run: str, base: int, result: Result) -> tuple[int, float, str]:
        """Distinct messages delivered, time of the last, and what is wrong: every accepted marker must be there, once."""
        found = maildirs.read_arrivals(self.root, run)
        if not result.latencies:
            return found.unmarked, found.last, complaint(found.unmarked, 0, result)
        refused = {f"{run}-{number:09d}".encode() for number in result.not_accepted}
        extra = len(found.markers & refused)
        return found.distinct, found.last, complaint(found.distinct - extra, found.duplicates, result)


class SinkCount:
    """Reads the sink's tally."""

    def __init__(self, port: int, tally: Tally) -> None:
        self.port = port
        self.tally = tally
        self._distinct_before = 0

    def total(self) -> int:
        self._distinct_before = self.tally.read()[1]
        return self.tally.read()[0]

    def wait(self, wanted: int, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while self.tally.read()[0] < wanted and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.tally.read()[0]

    def check(self, run: str, base: int, result: Result) -> tuple[int, float, str]:
        messages, distinct, _, last = self.tally.read()
        if not result.latencies:
            return messages - base, last, complaint(messages - base, 0, result)
        new = distinct - self._distinct_before
        return new, last, complaint(new, messages - base - new, result)


def complaint(delivered: int, duplicates: int, result: Result) -> str:
    found = []
    if delivered != result.accepted:
        found.append(f"accepted {result.accepted}, delivered {delivered}")
    if duplicates:
        found.append(f"{duplicates} delivered twice")
    if result.refused or result.broken:
        found.append(f"{result.refused} refused, {result.broken} broken")
    if result.first_complaint:
        found.append(result.first_complaint)
    return "; ".join(found)


@contextlib.contextmanager
def start_sink(folder: Path, kind: str) -> Iterator[SinkCount]:
    """The sink in its own process; smtp-sink stands behind nothing of ours, so its count is read from its own output."""
    folder.mkdir(parents=True)
    port, tally = free_port(), folder / "tally"
    counts = Tally(tally, new=True)
    if kind == "smtp-sink":
        program = str(prepared_peer("postfix") / "usr/sbin/smtp-sink")
        command = [program, "-c", "-u", "nobody", f"127.0.0.1:{port}", "1000"]
    else:
        command = [sys.executable, "-m", "bench.sink", "--port", str(port), "--tally", str(tally)]
    with open(folder / "output", "wb") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    reader = (
        SmtpSinkCount(port, counts, folder / "output") if kind == "smtp-sink" else SinkCount(port, counts)
    )
    try:
        time.sleep(0.8)
        if process.poll() is not None:
            raise Unavailable("the sink ended: " + (folder / "output").read_text(errors="replace")[-200:])
        yield reader
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


class SmtpSinkCount(SinkCount):
    """smtp-sink -c rewrites a line of counters; the last number called mesg is the count, its change the time."""

    def __init__(self, port: int, tally: Tally, output: Path) -> None:
        super().__init__(port, tally)
        self.output = output

    def refresh(self) -> None:
        words = self.output.read_bytes()[-400:].replace(b"\r", b" ").replace(b"=", b" ").split()
        counts = [
            int(after) for word, after in itertools.pairwise(words) if word == b"mesg" and after.isdigit()
        ]
        messages, _, _, last = self.tally.read()
        if counts and counts[-1] != messages:
            last = time.time()
            self.tally.write(counts[-1], counts[-1], 0, last)

    def total(self) -> int:
        self.refresh()
        return super().total()

    def wait(self, wanted: int, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while True:
            self.refresh()
            if self.tally.read()[0] >= wanted or time.monotonic() > deadline:
                return self.tally.read()[0]
            time.sleep(0.02)
