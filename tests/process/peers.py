"""Other mail servers for tests of outgoing mail: a name server, and hosts on 127.0.0.x that do what a test tells them to.

    with Internet() as net:
        mx = net.host()                                   # listens on 127.0.0.N, port net.port
        net.zone(f"a.test MX 10 mx.a.test", f"mx.a.test A {mx.address}")
        mx.answer("RCPT TO:<bad@", "550 5.1.1 no such user")
        ... letter = mx.await_letters(1)[0]

Everything runs in one thread of its own with an event loop; the tests stay plain functions. 127.0.0.1 is this machine to Pillarbox and
Exim alike; the other addresses of the loopback network are other hosts.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import ssl
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import trustme
from tests.process.daemon import free_ports, wait_until
from tests.support.dns_server import DnsServer

T = TypeVar("T")

USUAL = ("PIPELINING", "8BITMIME", "SIZE 50000000", "DSN", "SMTPUTF8", "ENHANCEDSTATUSCODES")
_LIMIT = 4 << 20
"""Longest line or message that a host reads."""


@dataclass
class Letter:
    """One message that a host has taken (or, with `answer`, refused) at its end."""

    mail: str
    """The MAIL command's argument: `<a@b> SIZE=100`."""
    rcpts: list[str]
    """Arguments of the RCPT commands that were accepted."""
    data: bytes
    """As sent, without dots and the final dot; CRLF."""
    is_tls: bool = False
    is_chunked: bool = False
    login: str = ""
    """`name:password` of AUTH PLAIN or LOGIN."""
    connection: int = 0
    """Number of the connection at this host, from 1."""


@dataclass
class Rule:
    start: str
    reply: bytes
    times: int


@dataclass
class _Talk:
    """One connection's state."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_tls: bool = False
    login: str = ""
    mail: str = ""
    rcpts: list[str] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)


class HangUp(Exception):
    """This connection ends here."""


class Host:
    """A mail server on an address of its own. Told what to say before the mail comes."""

    def __init__(self, net: Internet, address: str, offers: tuple[str, ...]) -> None:
        self.net = net
        self.address = address
        self.offers = list(offers)
        self.tls: ssl.SSLContext | None = None
        """Offer STARTTLS with this."""
        self.tls_from_the_start = False
        self.breaks_tls = False
        """Say 220 to STARTTLS and then nonsense."""
        self.logins: set[str] = set()
        """`name:password` that AUTH takes."""
        self.is_lmtp = False
        self.letters: list[Letter] = []
        self.commands: list[str] = []
        """Every line that was said to it."""
        self.connections = 0
        self._rules: list[Rule] = []
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    # What a test says

    def answer(self, start: str, reply: str, times: int = 1 << 30) -> None:
        """Say `reply` to commands that begin with `start` (`CONNECT`, `MAIL FROM:`, `.` for the end of the message, `. <rcpt>` in
        LMTP); `times` commands long. An empty reply hangs up."""
        self._rules.append(Rule(start.upper(), reply.encode(), times))

    def offer_tls(self, *names: str) -> None:
        """STARTTLS with a certificate of `net.ca` for `names`."""
        self.tls = self.net.certificate(*names)
        self.offers.append("STARTTLS")

    def up(self, path: Path | None = None) -> Host:
        """Listen on its address and the common port, or on a UNIX socket."""
        self.net.run(self._listen(path))
        return self

    def down(self) -> None:
        """Stop listening, hang up everywhere."""
        self.net.run(self._close())

    def await_letters(self, count: int, seconds: float = 15.0) -> list[Letter]:
        """The letters, once there are `count`."""
        wait_until(lambda: len(self.letters) >= count, f"{count} letters at {self.address}", seconds)
        return self.letters

    # What it does

    async def _listen(self, path: Path | None) -> None:
        if path is not None:
            self._server = await asyncio.start_unix_server(self._serve, path, limit=_LIMIT)
            path.chmod(0o777)
            return
        context = self.tls if self.tls_from_the_start else None
        self._server = await asyncio.start_server(
            self._serve, self.address, self.net.port, limit=_LIMIT, ssl=context
        )

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        talk = _Talk(self.connections, reader, writer, is_tls=self.tls_from_the_start)
        try:
            self._say(talk, self._reply("CONNECT", b"220 peer.test ESMTP"))
            while line := await reader.readline():
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                self.commands.append(text)
                await self._command(talk, text)
                await writer.drain()
        except (HangUp, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _reply(self, said: str, usual: bytes) -> bytes:
        for rule in self._rules:
            if rule.times > 0 and said.upper().startswith(rule.start):
                rule.times -= 1
                return rule.reply
        return usual

    def _say(self, talk: _Talk, reply: bytes) -> bool:
        """Whether it was a good one."""
        if not reply:
            raise HangUp
        talk.writer.write(reply.replace(b"\n", b"\r\n") + b"\r\n")
        return reply[:1] in b"23"

    async def _command(self, talk: _Talk, line: str) -> None:
        verb, _, argument = line.partition(" ")
        match verb.upper():
            case "EHLO" | "LHLO":
                self._say(talk, self._reply(line, self._hello(talk)))
            case "STARTTLS":
                await self._start_tls(talk, line)
            case "AUTH":
                await self._authenticate(talk, argument)
            case "MAIL":
                if self._say(talk, self._reply(line, b"250 2.1.0 ok")):
                    talk.mail, talk.rcpts, talk.chunks = argument.partition(":")[2], [], []
            case "RCPT":
                if self._say(talk, self._reply(line, b"250 2.1.5 ok")):
                    talk.rcpts.append(argument.partition(":")[2])
            case "DATA":
                usual = b"354 go on" if talk.rcpts else b"503 5.5.1 no recipients"
                if self._say(talk, self._reply(line, usual)):
                    data = await talk.reader.readuntil(b"\r\n.\r\n") if talk.rcpts else b""
                    self._finish(talk, data[:-3].replace(b"\r\n..", b"\r\n."))
            case "BDAT":
                await self._take_chunk(talk, argument)
            case "RSET":
                talk.mail, talk.rcpts = "", []
                self._say(talk, self._reply(line, b"250 2.0.0 reset"))
            case "QUIT":
                self._say(talk, self._reply(line, b"221 2.0.0 bye"))
                await talk.writer.drain()
                raise HangUp
            case _:
                self._say(talk, self._reply(line, b"250 2.0.0 ok"))

    def _hello(self, talk: _Talk) -> bytes:
        offers = [word for word in self.offers if word != "STARTTLS" or not talk.is_tls]
        return "\n".join(f"250-{word}" for word in ("peer.test", *offers)).encode() + b"\n250 HELP"

    async def _start_tls(self, talk: _Talk, line: str) -> None:
        if not self._say(talk, self._reply(line, b"220 2.0.0 go on")):
            return
        await talk.writer.drain()
        if self.breaks_tls or self.tls is None:
            await talk.reader.read(1)
            talk.writer.write(b"this is no TLS\r\n")
            raise HangUp
        with suppress(ssl.SSLError, ConnectionError):
            await talk.writer.start_tls(self.tls)
            talk.is_tls = True
            return
        raise HangUp

    async def _authenticate(self, talk: _Talk, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if mechanism.upper() == "PLAIN":
            given = initial or (await self._ask(talk, b""))
            name, secret = base64.b64decode(given).split(b"\0")[1:]
        else:
            name = base64.b64decode(initial or await self._ask(talk, b"Username:"))
            secret = base64.b64decode(await self._ask(talk, b"Password:"))
        login = f"{name.decode()}:{secret.decode()}"
        good = login in self.logins
        if self._say(talk, self._reply("AUTH", b"235 2.7.0 welcome" if good else b"535 5.7.8 wrong")):
            talk.login = login

    async def _ask(self, talk: _Talk, challenge: bytes) -> str:
        talk.writer.write(b"334 " + base64.b64encode(challenge) + b"\r\n")
        await talk.writer.drain()
        return (await talk.reader.readline()).decode().strip()

    async def _take_chunk(self, talk: _Talk, argument: str) -> None:
        size, _, last = argument.partition(" ")
        talk.chunks.append(await talk.reader.readexactly(int(size)))
        if last.upper() == "LAST":
            self._finish(talk, b"".join(talk.chunks), is_chunked=True)
        else:
            self._say(talk, b"250 2.0.0 more")

    def _finish(self, talk: _Talk, data: bytes, *, is_chunked: bool = False) -> None:
        letter = Letter(talk.mail, talk.rcpts, data, talk.is_tls, is_chunked, talk.login, talk.number)
        taken = letter.rcpts
        if self.is_lmtp:
            taken = [rcpt for rcpt in taken if self._say(talk, self._reply(f". {rcpt}", b"250 2.1.5 taken"))]
        elif not self._say(talk, self._reply(".", b"250 2.0.0 taken")):
            taken = []
        talk.mail, talk.rcpts, talk.chunks = "", [], []
        if taken:
            letter.rcpts = taken
            self.letters.append(letter)


class Internet:
    """A name server and hosts. Entered, its thread runs; left, all is closed."""

    def __init__(self, port: int = 0, dns: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        """The port for mail, and where the name server is; 0: free ones."""
        self.port = port or free_ports(1)[0]
        self.lmtp_port = free_ports(1)[0]
        """For a daemon that speaks LMTP."""
        self.ca = trustme.CA()
        self._numbers = itertools.count(2)
        self._hosts: list[Host] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="peers", daemon=True)
        self.dns = DnsServer("", *dns)
        self.sockets = Path()
        """Where hosts that listen on UNIX sockets put them."""

    def __enter__(self) -> Internet:
        self._thread.start()
        self.run(self.dns.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        for host in self._hosts:
            host.down()
        self.run(self.dns.__aexit__())
        self.run(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel_all(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """In the thread's loop; waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    @property
    def nameserver(self) -> str:
        """For `nameservers`."""
        return self.dns.address

    def zone(self, *lines: str) -> None:
        """More records, in the words of tests/support/fake_dns.py."""
        for line in lines:
            self.dns.zone.add(line)

    def host(self, *, is_up: bool = True, offers: tuple[str, ...] = USUAL) -> Host:
        """A host on the next address; with `is_up` false nothing listens there yet."""
        host = Host(self, f"127.0.0.{next(self._numbers)}", offers)
        self._hosts.append(host)
        return host.up() if is_up else host

    def domain(self, name: str, *hosts: Host) -> None:
        """MX records 10, 20, … for `name`, to mx1, mx2, … below it, in the order of `hosts`."""
        for number, host in enumerate(hosts, 1):
            self.zone(f"{name} MX {number * 10} mx{number}.{name}", f"mx{number}.{name} A {host.address}")

    def certificate(self, *names: str) -> ssl.SSLContext:
        """A server's context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context
