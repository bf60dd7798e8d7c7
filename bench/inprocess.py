"""One worker in this process, to see what a message costs and where: CPU time, a profile, system calls.

    python -m bench.inprocess                    # clients without sockets: sessions, spool, routing, delivery
    python -m bench.inprocess --sockets          # clients in a process of their own, over loopback: with the kernel's part
    python -m bench.inprocess --profile          # which functions take the time (cProfile; its own cost included)
    python -m bench.inprocess --sockets --calls  # system calls of each message (strace)
    python -m bench.inprocess --instructions     # instructions outside the kernel (valgrind): the same however busy the machine is
    python -m bench.inprocess --configuration debian-mbox …  # Debian's configuration, delivered as UNIX users through the root helper

The World, the Mta and the listening Service are the worker's own, on the shipped configuration with a hundred accounts or Debian's
with a hundred users; spool and mailboxes are real. What the root helper does is not counted. The figure is the least of several
rounds, so it stands still on a busy machine where a rate would not: user and system time of all our threads, for each message, until
the last is durable, logged and forgotten by the spool.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import uvloop

from bench.folders import spread_folders
from bench.measured import CONFIGURATIONS, Measured
from bench.message import USERS, MessageText
from bench.servers.server import PROJECT, Unavailable
from pillarbox.app.configuration import load_config
from pillarbox.app.counts import SharedCounts
from pillarbox.app.helping import start_helper
from pillarbox.app.mta import Mta
from pillarbox.app.serving import Limits, Service
from pillarbox.app.worker import tame_garbage_collector
from pillarbox.app.world import World
from pillarbox.config.model import Config
from pillarbox.flow.accept.session import Session
from pillarbox.system.connection import SocketConnection
from pillarbox.system.helper.process import HelperEnd
from pillarbox.system.listen import bind

WARM_UP = 200


class Used:
    """Seconds of CPU since it was made, in user and system time."""

    def __init__(self) -> None:
        self._before = getrusage(RUSAGE_SELF)

    def per_message(self, count: int) -> tuple[float, float]:
        """(user, system) microseconds."""
        now, before = getrusage(RUSAGE_SELF), self._before
        user, system = now.ru_utime - before.ru_utime, now.ru_stime - before.ru_stime
        return user * 1e6 / count, system * 1e6 / count


class Worker:
    """What `pillarbox.app.worker` wires, without processes, ports and signals."""

    def __init__(self, config: Config, helper: HelperEnd | None) -> None:
        self.world = World(config, 0, helper=helper)
        self.mta = Mta(config, self.world)
        limits = Limits(SharedCounts(2).row(0), 1000, 0)
        self.service = Service(
            self._session,
            limits,
            self.world.journal,
            lambda: self.mta.tls,
            is_tls=False,
            sessions_shake_hands=True,
        )

    def _session(self, connection: SocketConnection, is_tls: bool) -> Session:
        return Session(connection, self.mta.policy, self.mta.accept_services, is_tls=is_tls, connections=1)

    async def settle(self) -> None:
        """Until everything accepted is delivered and forgotten."""
        while self.service.tasks or self.mta.lane.load:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        self.world.journal.flush()

    async def stop(self) -> None:
        await self.mta.retire()
        await self.world.stop()


class Client(asyncio.Transport):
    """The far end of a connection without a socket: what the server writes is answered in the next turn of the loop."""

    def __init__(self, worker: Worker, lines: tuple[bytes, ...], when_done: Callable[[], None]) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000), "sockname": ("127.0.0.1", 25)})
        self._loop = asyncio.get_running_loop()
        self._lines = iter(lines)
        self._when_done = when_done
        self._is_closing = False
        self._protocol = worker.service.protocol()
        self._protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        reply = bytes(data)
        if reply.startswith((b"4", b"5")):
            sys.exit(f"refused: {reply!r}")
        if (line := next(self._lines, None)) is not None:
            self._loop.call_soon(self._protocol.data_received, line)

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)
            self._when_done()

    abort = close

    def is_closing(self) -> bool:
        return self._is_closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def send_without_sockets(worker: Worker, options: argparse.Namespace, count: int, run: str) -> None:
    text = MessageText(run, options.size)
    left = count
    busy = 0
    done = asyncio.Event()

    def begin() -> None:
        nonlocal left, busy
        if left:
            left -= 1
            busy += 1
            head = b"EHLO client.example\r\n", b"MAIL FROM:<user1@bench.example>\r\n"
            to = b"RCPT TO:<user%d@bench.example>\r\n" % (left % USERS)
            Client(worker, (*head, to, b"DATA\r\n", text.numbered(left), b"QUIT\r\n"), end)

    def end() -> None:
        nonlocal busy
        busy -= 1
        begin()
        if not busy:
            done.set()

    for _ in range(min(options.concurrency, count)):
        begin()
    await done.wait()


class Generator:
    """A process that sends once it is told to: strace may look at us before, and does not follow it."""

    def __init__(self, options: argparse.Namespace, count: int, run: str) -> None:
        self._listening = bind("127.0.0.1", 0)
        arguments = {
            "port": self._listening.getsockname()[1],
            "count": count,
            "concurrency": options.concurrency,
            "size": options.size,
        }
        command = [
            "sh",
            "-c",
            'read go; exec "$@"',
            "sh",
            sys.executable,
            "-m",
            "bench.generator",
            "--run",
            run,
        ]
        command += [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )

    async def send(self, worker: Worker) -> None:
        server = await worker.service.listen(self._listening)
        assert self._process.stdin is not None
        self._process.stdin.close()
        while self._process.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        if self._process.returncode:
            sys.exit("the generator failed")
        server.close()


def sender(
    worker: Worker, options: argparse.Namespace, count: int, run: str
) -> Callable[[], Awaitable[None]]:
    """What sends so many messages when it is called."""
    if options.sockets:
        generator = Generator(options, count, run)
        return lambda: generator.send(worker)
    return lambda: send_without_sockets(worker, options, count, run)


async def measure(options: argparse.Namespace, config: Config, helper: HelperEnd | None) -> None:
    worker = Worker(config, helper)
    await worker.world.start()
    tame_garbage_collector()
    await sender(worker, options, WARM_UP, "warm")()
    await worker.settle()
    best = (float("inf"), 0.0)
    for turn in range(options.rounds):
        send = sender(worker, options, options.messages, f"r{turn}")
        if options.instructions:
            let_valgrind_count(counts=True)
        used = Used()
        await send()
        await worker.settle()
        if options.instructions:
            let_valgrind_count(counts=False)
        best = min(best, used.per_message(options.messages), key=sum)
    user, system = best
    where = "over loopback" if options.sockets else "without sockets"
    print(
        f"{options.messages} messages {where}, concurrency {options.concurrency}, best of {options.rounds}: "
        f"{user + system:.0f} us of CPU a message ({user:.0f} user, {system:.0f} system)"
    )
    if options.profile or options.calls:
        await look_closer(worker, options)
    await worker.stop()


async def look_closer(worker: Worker, options: argparse.Namespace) -> None:
    """One more round, watched."""
    send = sender(worker, options, options.messages, "closer")
    profile = cProfile.Profile()
    tracer = await start_strace() if options.calls else None
    if options.profile:
        profile.enable()
    await send()
    await worker.settle()
    if options.profile:
        profile.disable()
        pstats.Stats(profile).sort_stats(options.sort).print_stats(options.lines)
    if tracer is not None:
        tracer.send_signal(signal.SIGINT)
        said = (await tracer.communicate())[1].decode()
        print_calls(said, options.messages)


async def start_strace() -> asyncio.subprocess.Process:
    command = ["strace", "-f", "-c", "-p", str(os.getpid())]
    tracer = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert tracer.stderr is not None
    if b"attached" not in (said := await tracer.stderr.readline()):
        sys.exit(f"strace cannot look: {said.decode().strip()}")
    return tracer


def print_calls(said: str, messages: int) -> None:
    """strace's table, as calls for each message."""
    print("\nsystem calls a message")
    for line in said.splitlines():
        found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
        if found and int(found[1]) * 100 >= messages:
            print(f"  {int(found[1]) / messages:7.2f}  {found[2]}")


def measure_within(options: argparse.Namespace, measured: Measured) -> None:
    """In a process of its own, which sees the configuration's users; under valgrind, which counts only while a round goes on."""
    own = [sys.executable, "-m", "bench.inprocess", *sys.argv[1:], "--within", str(measured.configuration)]
    if not options.instructions:
        sys.exit(subprocess.run([*measured.entrance, *own], cwd=PROJECT, check=False).returncode)
    count = max(1, options.messages // 4)
    callgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={os.devnull}"]
    command = [*measured.entrance, *callgrind, *own, "--rounds", "1", "--messages", str(count)]
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        said = process.communicate()[1]
    found = re.search(rf"=={process.pid}== Collected : (\d+)", said)  # the helper has a line of its own
    if found is None:
        sys.exit(said[-500:])
    print(f"{int(found[1]) / count:,.0f} instructions a message outside the kernel")


def let_valgrind_count(*, counts: bool) -> None:
    command = ["callgrind_control", "--instr=" + ("on" if counts else "off"), str(os.getpid())]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.inprocess", description=(__doc__ or "").split("\n")[0]
    )
    add = parser.add_argument
    add("--configuration", choices=CONFIGURATIONS, default="shipped", help="default %(default)s")
    add("--messages", type=int, default=2000, help="in each round (default %(default)s)")
    add("--rounds", type=int, default=5, help="the best counts (default %(default)s)")
    add("--concurrency", type=int, default=10, help="default %(default)s")
    add("--size", type=int, default=4096, help="bytes per message (default %(default)s)")
    add("--sockets", action="store_true", help="over loopback, clients in a process of their own")
    add("--profile", action="store_true", help="then one round under cProfile")
    add("--sort", default="tottime", help="how the profile is sorted (default %(default)s)")
    add("--lines", type=int, default=60, help="of the profile (default %(default)s)")
    add("--calls", action="store_true", help="then one round under strace")
    add("--instructions", action="store_true", help="instead, counted by valgrind; a quarter of the messages")
    add("--dir", type=Path, help="where spool and Maildirs lie (default .cache/bench; the disk matters)")
    # Where one is measured within another: its configuration.
    add("--within", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = read_options()
    if options.within is not None:
        config = load_config(options.within)
        uvloop.run(measure(options, config, start_helper(config)))
        return
    parent = options.dir or PROJECT / ".cache" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="inprocess-", dir=parent))
    folder.chmod(0o755)
    spread_folders(folder)
    try:
        measure_within(options, CONFIGURATIONS[options.configuration](folder))
    except Unavailable as trouble:
        sys.exit(str(trouble))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
