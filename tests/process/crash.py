"""Kill -9 at random under load: nothing that was accepted may be lost. `make crash`, or `python -m tests.process.crash --help`.

Several connections send messages with unique markers: to accounts, to another server that defers, refuses and hangs up (`sink`), to a
domain that is deferred until the end, to one that bounces, and large ones that never see the fast lane. Meanwhile workers, the
supervisor or all of them are killed, `sendmail` submits with the daemon up or down, queue runs are asked for, and an IMAP client
moves what is new to what it has seen. In the end everything settles, and each message answered 250 must be where it belongs.

Duplicates: none in a Maildir, ever (a repeat finds its own file). To the sink and as bounces only of messages that a kill interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import imaplib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.process.daemon import COMMAND, Daemon, DidNotStart, User
from tests.process.sink import MARKER, Sink

from pillarbox.app import first_start
from pillarbox.app.data_folder import DataFolder

ROUTERS = """begin routers

archive:
  driver = accept
  domains = lists.test
  unseen
  transport = archive

lists:
  driver = redirect
  domains = lists.test
  one_time
  data = $local_part@localhost, $local_part@sink.test, $local_part@later.test

sink:
  driver = manualroute
  domains = sink.test
  transport = sink_smtp
  route_list = * 127.0.0.1
  self = send

later:
  driver = redirect
  domains = later.test
  allow_defer
  data = ${{if exists{{{flag}}}{{$local_part@localhost}}{{:defer: not before the end}}}}

gone:
  driver = redirect
  domains = gone.test
  allow_fail
  data = :fail: there is no such place
"""
TRANSPORTS = """begin transports

archive:
  driver = appendfile
  directory = {archive}
  maildir_format

sink_smtp:
  driver = smtp
  port = {port}
  command_timeout = 5s
  final_timeout = 5s
"""
SETTLE_SECONDS = 90.0
REPEAT_WINDOW = 1.0
"""A kill so long after a delivery may make it happen again (seconds): marks are written with the next group, as fast as the disk is."""


class Load:
    """What was sent, and what is known of it. A message's kind is its marker's first letter:
    l local, s sink, b both, d deferred to the end, g bounces, h huge, o offline submission, r a list: archived, local, sink and deferred."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.doubtful: set[str] = set()
        """The connection broke before the answer: either way is right."""
        self.refused = 0

    @property
    def count(self) -> int:
        return len(self.accepted) + len(self.doubtful) + self.refused


class Crash:
    """One run. `seconds` bounds the time of the load, `messages` its size, whichever comes first."""

    def __init__(self, messages: int, seconds: float, seed: int, *, connections: int = 8) -> None:
        self._messages = messages
        self._seconds = seconds
        self._connections = connections
        self._chance = random.Random(seed)
        self.daemon = Daemon("--workers", "2")
        self.sink = Sink(random.Random(seed + 1))
        self.load = Load()
        self.kills: Counter[str] = Counter()
        self.kill_times: list[float] = []
        self.slowest_group = 0.0
        """Seconds that a 250 was waited for: what the disk takes for a group, at its worst."""
        self.problems: list[str] = []
        self.twice_in_mailbox: list[str] = []
        self.twice_in_sink: list[str] = []
        self.twice_bounced: list[str] = []
        self._number = 0
        self._is_loading = True
        self._tools: set[asyncio.Task[None]] = set()

    # The run

    async def run(self) -> bool:
        """Whether nothing was lost; `problems` says what was."""
        await self.sink.start()
        self._prepare()
        await self._start()
        try:
            work = [asyncio.create_task(self._client(), name="client") for _ in range(self._connections)]
            others = [
                asyncio.create_task(each) for each in (self._killer(), self._reader(), self._progress())
            ]
            await asyncio.wait(work, timeout=self._seconds)
            self._is_loading = False
            await asyncio.gather(*work, *others)
            await asyncio.gather(*self._tools)  # the killer's last ones too
            self.sink.is_moody = False
            self._flag.touch()
            await self._settle()
        finally:
            self.sink.stop()
            if self.problems:
                print(f"kept for a look: {self.daemon.folder}", file=sys.stderr)
                if self.daemon.is_running:
                    self.daemon.stop()
            else:
                self.daemon.remove()
        return not self.problems

    @property
    def _flag(self) -> Path:
        return self.daemon.folder / "flag"

    @property
    def _archive(self) -> Path:
        return self.daemon.data / "archive"

    @property
    def _configuration(self) -> Path:
        return self.daemon.data / "pillarbox.conf"

    def _prepare(self) -> None:
        start = first_start.open_account(first_start.prepare(DataFolder(self.daemon.data), is_system=False))
        self.daemon.admin = User(start.account, start.password)
        text = self._configuration.read_text()
        text = text.replace("begin routers\n", ROUTERS.format(flag=self._flag))
        text = text.replace(
            "begin transports\n", TRANSPORTS.format(port=self.sink.port, archive=self._archive)
        )
        text = text.replace("F,2h,15m; G,16h,1h,1.5; F,4d,6h", "F,1h,2s")
        text = text.replace("smtp_accept_max =", "queue_run_interval = 3s\nsmtp_accept_max =")
        self._configuration.write_text(text)

    async def _start(self) -> None:
        """A daemon whose supervisor was killed must start again at once: no second try."""
        try:
            await asyncio.to_thread(self.daemon.start)
        except DidNotStart as error:
            self.problems.append(f"did not start again: {error}")
            self._is_loading = False

    # Load

    async def _client(self) -> None:
        while self._is_loading and self._number < self._messages:
            try:
                await self._conversation()
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                await asyncio.sleep(0.05)

    async def _conversation(self) -> None:
        async with asyncio.timeout(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.daemon.ports["smtp"])
            with contextlib.closing(writer):
                await _answer(reader)
                await _say(reader, writer, "EHLO load.test")
                for _ in range(self._chance.randint(1, 40)):
                    if not self._is_loading or self._number >= self._messages:
                        break
                    await self._send(reader, writer)
                await _say(reader, writer, "QUIT")

    def _kinds(self) -> tuple[str, tuple[int, ...]]:
        """Letters, and how many of each."""
        return "lsbdghr", (55, 20, 5, 8, 5, 2, 5)

    def _recipients(self, kind: str) -> list[str]:
        domains = {
            "s": ["sink.test"],
            "b": ["localhost", "sink.test"],
            "d": ["later.test"],
            "g": ["gone.test"],
            "r": ["lists.test"],
        }
        return [f"{self.daemon.admin.name}@{domain}" for domain in domains.get(kind, ["localhost"])]

    def _new_marker(self, kind: str) -> str:
        self._number += 1
        return f"{kind}{self._number}"

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        letters, weights = self._kinds()
        kind = self._chance.choices(letters, weights)[0]
        marker = self._new_marker(kind)
        await _say(reader, writer, f"MAIL FROM:<{self.daemon.admin.name}@localhost>")
        for recipient in self._recipients(kind):
            await _say(reader, writer, f"RCPT TO:<{recipient}>")
        if await _say(reader, writer, "DATA") != 354:
            self.load.refused += 1
            return
        filling = b"x" * 70 + b"\r\n"
        size = 30_000 if kind == "h" else self._chance.randint(1, 200)
        writer.write(_headers(marker) + filling * size + b".\r\n")
        asked_at = time.monotonic()
        try:
            code = await _answer(reader)
        except BaseException:
            self.load.doubtful.add(marker)
            raise
        self.slowest_group = max(self.slowest_group, time.monotonic() - asked_at)
        if code == 250:
            self.load.accepted.add(marker)
        else:
            self.load.refused += 1

    async def _reader(self) -> None:
        """A user at work: what is new becomes seen."""
        while self._is_loading:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                await asyncio.to_thread(self._read_mail)
            await asyncio.sleep(0.5)

    def _read_mail(self) -> None:
        with imaplib.IMAP4("127.0.0.1", self.daemon.ports["imap"], timeout=10) as client:
            client.login(self.daemon.admin.name, self.daemon.admin.password)
            client.select("INBOX")
            client.store("1:*", "+FLAGS", "\\Seen")

    # Trouble

    async def _killer(self) -> None:
        while self._is_loading:
            await asyncio.sleep(self._chance.uniform(0.3, 1.5))
            self._tool(self._submit() if self._chance.random() < 0.3 else None)
            self._tool(self._run_queue() if self._chance.random() < 0.2 else None)
            what = self._chance.choices(("worker", "supervisor", "all"), (70, 15, 15))[0]
            self.kills[what] += 1
            self.kill_times.append(time.monotonic())
            await self._kill(what)

    async def _kill(self, what: str) -> None:
        workers = self.daemon.workers
        if what == "worker":
            if workers:
                _kill(self._chance.choice(workers))
            return
        for pid in (self.daemon.pid, *(workers if what == "all" else ())):
            _kill(pid)
        await asyncio.to_thread(lambda: self.daemon._process and self.daemon._process.wait())
        if self._chance.random() < 0.5:
            await self._submit()
        await self._start()

    def _tool(self, work: object) -> None:
        if work is not None:
            task = asyncio.ensure_future(work)  # type: ignore[call-overload]
            self._tools.add(task)
            task.add_done_callback(self._tools.discard)

    async def _submit(self) -> None:
        """`sendmail`, whether the daemon is there or not."""
        marker = self._new_marker("o")
        code = await _run(
            "sendmail", "-C", self._configuration, "-i", self.daemon.admin.address, text=_headers(marker)
        )
        if code == 0:
            self.load.accepted.add(marker)
        else:
            self.load.doubtful.add(marker)

    async def _run_queue(self) -> None:
        await _run("exim", "-C", self._configuration, "-qf")

    # The end

    async def _settle(self) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while self._missing() and time.monotonic() < deadline:
            await _run("exim", "-C", self._configuration, "-qff")
            await asyncio.sleep(0.5)
        for marker, where in sorted(self._missing().items()):
            self.problems.append(f"LOST {marker}: not {where}")
        await self._await_empty_queue(deadline)
        self._check_duplicates()
        if self.daemon.panics:
            self.problems.append(f"panic log:\n{self.daemon.panics[-3000:]}")

    async def _await_empty_queue(self, deadline: float) -> None:
        while (listed := self.daemon.run("queue", "list")) and time.monotonic() < deadline:
            await _run("exim", "-C", self._configuration, "-qff")
        if listed:
            self.problems.append(f"still in the queue:\n{listed[:2000]}")

    def _missing(self) -> dict[str, str]:
        """Marker → where it should be and is not."""
        mailbox, bounced = self._mailbox()
        archived = self._archived()
        found: dict[str, str] = {}
        for marker in self.load.accepted:
            kind = marker[0]
            if kind == "g" and marker not in bounced:
                found[marker] = "bounced"
            if kind == "r" and marker not in archived:
                found[marker] = "archived"
            if kind in "lbdhor" and marker not in mailbox:
                found[marker] = "in the mailbox"
            if kind in "sbr" and marker not in self.sink.taken and marker not in bounced:
                found[marker] = "in the sink nor bounced"
        return found

    def _mailbox(self) -> tuple[Counter[str], Counter[str]]:
        """(messages, bounces) by marker."""
        messages: Counter[str] = Counter()
        bounced: Counter[str] = Counter()
        for path in self.daemon.delivered(self.daemon.admin):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # moved to cur just now; the next look finds it
            markers = MARKER.findall(data)
            is_bounce = data.startswith(b"Return-path: <>")
            for marker in set(markers):
                (bounced if is_bounce else messages)[marker.decode()] += 1
        return messages, bounced

    def _archived(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for path in self._archive.glob("new/*"):
            found.update(marker.decode() for marker in set(MARKER.findall(path.read_bytes())))
        return found

    def _check_duplicates(self) -> None:
        names = Counter(path.name.partition(":")[0] for path in self.daemon.delivered(self.daemon.admin))
        self.problems += [f"file {name} is there {count} times" for name, count in names.items() if count > 1]
        mailbox, bounced = self._mailbox()
        self.twice_in_mailbox = [m for m, count in mailbox.items() if count > 1]
        self.twice_in_sink = [m for m, count in self.sink.taken.items() if count > 1]
        self.twice_bounced = [m for m, count in bounced.items() if count > 1]
        self.problems += [
            f"{m} is archived {count} times" for m, count in self._archived().items() if count > 1
        ]
        self.problems += [
            f"{m} is in the mailbox {mailbox[m]} times" for m in self.twice_in_mailbox if m[0] != "o"
        ]
        for marker in self.twice_in_sink:
            if not self._was_interrupted(self.sink.taken_at[marker]):
                self.problems.append(f"{marker} went to the sink {self.sink.taken[marker]} times")

    def _was_interrupted(self, at: float) -> bool:
        window = REPEAT_WINDOW + self.slowest_group
        return any(-0.1 <= killed - at <= window for killed in self.kill_times)

    # Reports

    async def _progress(self) -> None:
        began = time.monotonic()
        while self._is_loading:
            await asyncio.sleep(2)
            load = self.load
            print(
                f"{time.monotonic() - began:5.0f} s  {len(load.accepted)} accepted, {len(load.doubtful)} in doubt, "
                f"{load.refused} refused, kills: {sum(self.kills.values())}",
                flush=True,
            )

    def summary(self) -> str:
        load = self.load
        lost = sum(problem.startswith("LOST") for problem in self.problems)
        kills = ", ".join(f"{count} {what}" for what, count in sorted(self.kills.items()))
        return (
            f"{len(load.accepted)} messages accepted, {len(load.doubtful)} in doubt, {load.refused} refused; "
            f"kills: {kills}; lost: {lost}; twice: {len(self.twice_in_mailbox)} in the mailbox, "
            f"{len(self.twice_in_sink)} in the sink, {len(self.twice_bounced)} bounces; "
            f"refused by the sink: {len(self.sink.refused)}"
        )


def _headers(marker: str) -> bytes:
    return f"X-Marker: {marker}\r\nSubject: crash test {marker}\r\nFrom: load@localhost\r\n\r\n".encode()


async def _answer(reader: asyncio.StreamReader) -> int:
    """The code of a reply, its last line read."""
    while True:
        line = await reader.readuntil(b"\r\n")
        if line[3:4] != b"-":
            return int(line[:3])


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> int:
    writer.write(f"{line}\r\n".encode())
    return await _answer(reader)


async def _run(command: str, *arguments: object, text: bytes = b"") -> int:
    process = await asyncio.create_subprocess_exec(
        str(COMMAND.with_name(command)),
        *map(str, arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    await process.communicate(text)
    return process.returncode or 0


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def main() -> int:
    parser = argparse.ArgumentParser(prog="crash", description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=120.0, help="load no longer than this")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    crash = Crash(arguments.messages, arguments.seconds, arguments.seed)
    is_well = asyncio.run(crash.run())
    for problem in crash.problems[:40]:
        print(problem)
    print(crash.summary())
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
