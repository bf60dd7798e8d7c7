"""An IMAP client for tests: a connection in memory, a session behind it, and golden conversations.

client = await start(store=…)
await client.plays('''
    C: a NOOP
    S: a OK NOOP completed
''')
"""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Mapping

from tests.support.clock import JumpClock

from pillarbox.backends.mailstore.memory import MemoryStores
from pillarbox.mailbox.imap.services import Services, Settings
from pillarbox.mailbox.imap.session import Session
from pillarbox.ports.journal import Event
from pillarbox.ports.logins import Challenge, Exchange, Failure, Step, Success
from pillarbox.ports.mailstore import MailStores, NewMessage
from pillarbox.ports.network import DialError
from pillarbox.ports.users import Account


class FakeConnection:
    """Both ends: the session reads and writes, the test feeds and looks."""

    def __init__(self, *, tls: bool, peer: str) -> None:
        self.tls_cipher = "TLS1.3:TLS_AES_256_GCM_SHA384:256" if tls else ""
        self.peer_address = (peer, 40000)
        self.written = bytearray()
        self.writes: list[int] = []
        self.is_closed = False
        self.timeouts: list[float] = []
        self._input: asyncio.Queue[bytes | DialError] = asyncio.Queue()
        self.has_written = asyncio.Event()

    def feed(self, data: bytes) -> None:
        self._input.put_nowait(data)

    def let_time_out(self) -> None:
        self._input.put_nowait(DialError("timeout", "no data"))

    async def read(self, timeout: float) -> bytes:
        self.timeouts.append(timeout)
        data = await self._input.get()
        if isinstance(data, DialError):
            raise data
        return data

    async def write(self, data: bytes, timeout: float) -> None:
        self.written += data
        self.writes.append(len(data))
        self.has_written.set()

    async def start_tls_server(self, timeout: float) -> None:
        self.tls_cipher = "TLS1.3:TLS_AES_256_GCM_SHA384:256"

    def pending(self) -> bool:
        return False

    def channel_bindings(self) -> Mapping[str, bytes]:
        return {}

    def close(self) -> None:
        self.is_closed = True
        self.has_written.set()


class FakeJournal:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def main(self, line: str) -> None:
        self.lines.append(line)

    def reject(self, line: str) -> None:
        self.lines.append(line)

    def panic(self, line: str) -> None:
        self.lines.append(f"panic: {line}")

    def event(self, event: Event) -> None: ...

    def message(self, message_id: str, line: str) -> None: ...


class FakeLogins:
    """alice's password is `secret`. PLAIN in two steps, as the real one."""

    def mechanisms(self, *, has_channel_binding: bool) -> tuple[str, ...]:
        return ("PLAIN",)

    def begin(
        self, mechanism: str, peer_address: str, channel_bindings: Mapping[str, bytes] | None = None
    ) -> Exchange | None:
        return _Plain(self) if mechanism == "PLAIN" else None

    async def password(self, name: str, password: str, peer_address: str) -> Success | Failure:
        if (name, password) == ("alice", "secret"):
            return Success(Account("alice", "/mail/alice"), name)
        if name == "throttled":
            return Failure("throttled", "slow down", name)
        return Failure("credentials", "wrong", name)


class _Plain:
    def __init__(self, logins: FakeLogins) -> None:
        self._logins = logins

    async def step(self, response: bytes | None) -> Step:
        if response is None:
            return Challenge(b"")
        _, name, password = response.split(b"\0")
        return await self._logins.password(name.decode(), password.decode(), "")


class Client:
    """Says lines and hears lines."""

    def __init__(self, connection: FakeConnection, session: Session, journal: FakeJournal) -> None:
        self.connection = connection
        self.session = session
        self.journal = journal
        self.task = asyncio.ensure_future(session.run())
        self._read = 0

    async def hear(self, tag: str) -> bytes:
        """Everything up to and including the line that begins with `tag`, or with `+`, or to the end."""
        while True:
            start = self._read
            data = bytes(self.connection.written)
            while (end := data.find(b"\r\n", start)) >= 0:
                line = data[start:end]
                start = end + 2
                if line.startswith((tag.encode() + b" ", b"+ ")):
                    heard, self._read = data[self._read : start], start
                    return heard
            if self.connection.is_closed or self.task.done():
                heard, self._read = data[self._read :], len(data)
                return heard
            self.connection.has_written.clear()
            await asyncio.wait_for(self.connection.has_written.wait(), 5)

    async def say(self, line: str | bytes) -> bytes:
        data = line if isinstance(line, bytes) else line.encode()
        self.connection.feed(data + b"\r\n")
        return await self.hear(data.split(b" ")[0].decode("latin-1"))

    async def plays(self, script: str) -> None:
        """A golden conversation: `C:` lines are said, `S:` lines must come back, exactly; `…` at the end of one allows anything behind."""
        said: list[str] = []
        expected: list[str] = []
        for line in [*textwrap.dedent(script).strip("\n").split("\n"), "C:"]:
            kind, text = line[:2], line[3:]
            if kind == "C:" and expected:
                await self._exchange(said, expected)
                said, expected = [], []
            if kind == "C:":
                said.append(text)
            elif kind == "S:":
                expected.append(text)
            elif line.strip():
                raise ValueError(line)

    async def _exchange(self, said: list[str], expected: list[str]) -> None:
        self.connection.feed("".join(f"{line}\r\n" for line in said).encode())
        tag = expected[-1].split(" ")[0]
        heard = (await self.hear(tag)).decode("utf-8", "replace").removesuffix("\r\n").split("\r\n")
        shown = [
            want if want.endswith("…") and got.startswith(want[:-1]) else got
            for got, want in zip(heard, expected, strict=False)
        ]
        assert shown + heard[len(shown) :] == expected, "\n".join(heard)

    async def end(self) -> None:
        self.connection.feed(b"")
        await asyncio.wait_for(self.task, 5)


async def connect(
    stores: MailStores | None = None,
    *,
    tls: bool = True,
    peer: str = "192.0.2.7",
    settings: Settings | None = None,
) -> Client:
    """A client that has heard the greeting."""
    clock, journal = JumpClock(), FakeJournal()
    services = Services(FakeLogins(), stores or MemoryStores(clock), clock, journal)
    connection = FakeConnection(tls=tls, peer=peer)
    client = Client(
        connection, Session(connection, services, settings or Settings(host_name="mail.example")), journal
    )
    await client.hear("*")
    return client


async def logged_in(stores: MailStores | None = None, settings: Settings | None = None) -> Client:
    client = await connect(stores, settings=settings)
    assert b" OK " in await client.say("login LOGIN alice secret")
    return client


async def filled(*messages: bytes, clock: JumpClock | None = None) -> MailStores:
    """Stores in which alice's INBOX holds `messages` (LF line ends are made CRLF)."""
    stores = MemoryStores(clock or JumpClock())
    store = await stores.open_store("/mail/alice")
    for number, data in enumerate(messages):
        content = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        await store.append("INBOX", [NewMessage(content, internal_date=1_700_000_000.0 + number)])
    return stores
