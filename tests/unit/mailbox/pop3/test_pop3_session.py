"""POP3 conversations over stores in memory: what the client says, what it is told, what remains."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping

import pytest
from tests.support.clock import JumpClock

from pillarbox.backends.mailstore.memory import MemoryStores
from pillarbox.mailbox.pop3.services import MemoryLocks, Services, Settings
from pillarbox.mailbox.pop3.session import Session
from pillarbox.ports.journal import Event
from pillarbox.ports.logins import Challenge, Exchange, Failure, Step, Success
from pillarbox.ports.mailstore import NewMessage
from pillarbox.ports.network import DialError
from pillarbox.ports.users import Account

ALICE = Account("alice", "/home/alice")


class ListJournal:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.panics: list[str] = []

    def main(self, line: str) -> None:
        self.lines.append(line)

    def reject(self, line: str) -> None:
        self.lines.append(line)

    def panic(self, line: str) -> None:
        self.panics.append(line)

    def event(self, event: Event) -> None: ...

    def message(self, message_id: str, line: str) -> None: ...


class TwoStepExchange:
    """CHALLENGE: asks `who?` and takes `alice`."""

    async def step(self, response: bytes | None) -> Step:
        if response is None:
            return Challenge(b"who?")
        if response == b"alice":
            return Success(ALICE, "alice")
        return Failure("credentials", "wrong", response.decode("latin-1"))


class FakeLogins:
    def __init__(self) -> None:
        self.failure: Failure | None = None

    def mechanisms(self, *, has_channel_binding: bool) -> tuple[str, ...]:
        return ("CHALLENGE",)

    def begin(
        self, mechanism: str, peer_address: str, channel_bindings: Mapping[str, bytes] | None = None
    ) -> Exchange | None:
        return TwoStepExchange() if mechanism == "CHALLENGE" else None

    async def password(self, name: str, password: str, peer_address: str) -> Success | Failure:
        if self.failure:
            return self.failure
        if (name, password) == ("alice", "open sesame"):
            return Success(ALICE, name)
        return Failure("credentials", f"U={name}", name)


class ScriptedConnection:
    """The client sends one piece each time it is waited for, then hangs up (or stays silent). A piece may be a function: something
    that happens meanwhile, and what is sent after it."""

    def __init__(
        self, *pieces: bytes | Callable[[], Awaitable[bytes]], peer: str = "127.0.0.1", stays: bool = False
    ) -> None:
        self.pieces = list(pieces)
        self.sent = bytearray()
        self.largest_write = 0
        self.tls_cipher = ""
        self.peer_address = (peer, 12345)
        self.is_closed = False
        self.stays = stays

    async def read(self, timeout: float) -> bytes:
        await asyncio.sleep(0)
        if self.pieces:
            piece = self.pieces.pop(0)
            return piece if isinstance(piece, bytes) else await piece()
        if self.stays:
            raise DialError("timeout", "silence")
        return b""

    async def write(self, data: bytes, timeout: float) -> None:
        self.sent += data
        self.largest_write = max(self.largest_write, len(data))

    async def start_tls_server(self, timeout: float) -> None:
        self.tls_cipher = "TLS1.3:TLS_AES_256_GCM_SHA384:256"

    def pending(self) -> bool:
        return False

    def channel_bindings(self) -> Mapping[str, bytes]:
        return {}

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def services() -> Services:
    clock = JumpClock()
    return Services(FakeLogins(), MemoryStores(clock), MemoryLocks(), clock, ListJournal())


async def talk(
    services: Services, *pieces: bytes, settings: Settings | None = None, **more: object
) -> list[str]:
    """The server's lines."""
    connection = ScriptedConnection(*pieces, **more)  # type: ignore[arg-type]
    await Session(connection, services, settings).run()
    assert connection.is_closed
    return bytes(connection.sent).decode("latin-1").split("\r\n")[:-1]


async def put(services: Services, *messages: bytes) -> None:
    store = await services.stores.open_store(ALICE.home)
    await store.append("INBOX", [NewMessage(message) for message in messages])


async def contents(services: Services) -> list[bytes | None]:
    inbox = await (await services.stores.open_store(ALICE.home)).open("INBOX")
    return [await inbox.content(entry.uid) for entry in inbox.entries()]


def script(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


LOGIN = script("USER alice", "PASS open sesame")


async def test_whole_session(services: Services) -> None:
    await put(services, b"S: 1\r\n\r\n.one\r\n", b"S: 2\r\n\r\ntwo\r\n")
    said = await talk(
        services, LOGIN + script("STAT", "LIST", "LIST 2", "RETR 1", "DELE 1", "STAT", "LIST 1", "QUIT")
    )
    assert said == [
        "+OK localhost POP3 ready",
        "+OK Now the password",
        "+OK 2 messages, 27 octets",
        "+OK 2 27",
        "+OK The list follows",
        "1 14",
        "2 13",
        ".",
        "+OK 2 13",
        "+OK 14 octets",
        "S: 1",
        "",
        "..one",
        ".",
        "+OK Marked",
        "+OK 1 13",
        "-ERR No such message",
        "+OK Goodbye",
    ]
    assert await contents(services) == [b"S: 2\r\n\r\ntwo\r\n"]


async def test_one_byte_at_a_time_says_the_same(services: Services) -> None:
    await put(services, b"S: 1\r\n\r\none")
    whole = LOGIN + script("UIDL", "TOP 1 0", "RETR 1", "NOOP", "QUIT")
    at_once = await talk(services, whole)
    assert await talk(services, *[whole[n : n + 1] for n in range(len(whole))]) == at_once
    assert at_once[-1] == "+OK Goodbye"


async def test_without_quit_nothing_is_deleted(services: Services) -> None:
    await put(services, b"S: 1\r\n\r\n")
    await talk(services, LOGIN + script("DELE 1"))
    assert len(await contents(services)) == 1
    await talk(services, LOGIN + script("DELE 1", "RSET", "QUIT"))
    assert len(await contents(services)) == 1
    said = await talk(services, LOGIN + script("DELE 1"), stays=True)
    assert said[-1] == "-ERR [SYS/TEMP] Idle for too long"
    assert len(await contents(services)) == 1


async def test_unique_ids_stay(services: Services) -> None:
    await put(services, b"1", b"2", b"3")
    first = await talk(services, LOGIN + script("UIDL", "DELE 2", "UIDL", "UIDL 2", "QUIT"))
    second = await talk(services, LOGIN + script("UIDL", "QUIT"))
    (a, b, c), remaining = [line.split()[1] for line in first[4:7]], first[10:12]
    assert len({a, b, c}) == 3
    assert remaining == [f"1 {a}", f"3 {c}"]
    assert second[4:6] == [f"1 {a}", f"2 {c}"]


async def test_snapshot_at_login(services: Services) -> None:
    await put(services, b"1")

    async def mail_comes() -> bytes:
        await put(services, b"2")
        return script("STAT", "QUIT")

    connection = ScriptedConnection(LOGIN, mail_comes)
    await Session(connection, services).run()
    assert b"+OK 1 1\r\n" in connection.sent


async def test_gone_meanwhile(services: Services) -> None:
    await put(services, b"1", b"2")

    async def removed() -> bytes:
        inbox = await (await services.stores.open_store(ALICE.home)).open("INBOX")
        await inbox.store_flags([1], "add", frozenset({"\\Deleted"}))
        await inbox.expunge()
        return script("RETR 1", "TOP 1 0", "RETR 2", "DELE 1", "QUIT")

    connection = ScriptedConnection(LOGIN, removed)
    await Session(connection, services).run()
    lines = bytes(connection.sent).split(b"\r\n")
    assert lines.count(b"-ERR [SYS/TEMP] The message has been removed by another program") == 2
    assert b"+OK 1 octets" in lines
    assert lines[-2] == b"+OK Goodbye"


async def test_one_session_a_maildrop(services: Services) -> None:
    unlock = await services.locks.take(ALICE.home)
    assert unlock is not None
    said = await talk(services, LOGIN + script("STAT"))
    assert said[2:] == ["-ERR [IN-USE] Another POP3 session has this maildrop open", "-ERR Log in first"]
    unlock()
    assert (await talk(services, LOGIN))[2].startswith("+OK")
    assert (await talk(services, LOGIN))[2].startswith("+OK"), "a lost connection gives the lock back"


async def test_who_has_heard_goodbye_may_come_again(services: Services) -> None:
    """At once, while the connection before is still being closed."""
    is_free = False

    class Watched(ScriptedConnection):
        async def write(self, data: bytes, timeout: float) -> None:
            nonlocal is_free
            await super().write(data, timeout)
            if b"Goodbye" in data:
                is_free = await services.locks.take(ALICE.home) is not None

    await Session(Watched(LOGIN, script("QUIT")), services).run()
    assert is_free


async def test_no_passwords_in_the_clear(services: Services) -> None:
    said = await talk(
        services, script("CAPA", "USER alice", "AUTH CHALLENGE", "AUTH PLAIN AGE=", "QUIT"), peer="192.0.2.1"
    )
    assert "USER" not in said
    assert "STLS" in said
    assert not any(line.startswith("SASL") for line in said)
    assert said[-4:-1] == ["-ERR Begin TLS first (STLS)"] * 3


async def test_stls_drops_what_was_sent_ahead(services: Services) -> None:
    said = await talk(
        services,
        script("STLS", "USER mallory"),
        script("PASS x", "CAPA") + LOGIN + script("STLS", "QUIT"),
        peer="192.0.2.1",
    )
    assert said[1:3] == ["+OK Begin TLS", "-ERR USER comes first"]
    assert "STLS" not in said
    assert {"USER", "SASL CHALLENGE"} <= set(said)
    assert said[-2:] == ["-ERR You have logged in already", "+OK Goodbye"]


async def test_no_stls_without_certificate(services: Services) -> None:
    said = await talk(services, script("CAPA", "STLS"), settings=Settings(can_start_tls=False))
    assert "STLS" not in said
    assert said[-1] == "-ERR TLS is not available"


async def test_auth(services: Services) -> None:
    alice, mallory = (base64.b64encode(name).decode() for name in (b"alice", b"mallory"))
    said = await talk(services, script("AUTH challenge", alice, "QUIT"))
    assert said[1:3] == [f"+ {base64.b64encode(b'who?').decode()}", "+OK 0 messages, 0 octets"]
    assert (await talk(services, script(f"AUTH CHALLENGE {alice}")))[1].startswith("+OK")
    assert (await talk(services, script(f"AUTH CHALLENGE {mallory}")))[
        1
    ] == "-ERR [AUTH] Wrong name or password"
    assert (await talk(services, script("AUTH CHALLENGE", "*")))[2] == "-ERR Cancelled"
    assert (await talk(services, script("AUTH CHALLENGE", "!!")))[2] == "-ERR The response is not in base64"
    assert (await talk(services, script("AUTH CHALLENGE !!")))[
        1
    ] == "-ERR The initial response is not in base64"
    assert (await talk(services, script("AUTH NTLM")))[1] == "-ERR No such mechanism here"
    assert (await talk(services, script("AUTH")))[1:] == ["+OK Mechanisms follow", "CHALLENGE", "."]


async def test_wrong_passwords_end_the_session(services: Services) -> None:
    said = await talk(services, script(*["USER alice", "PASS wrong"] * 5))
    assert said.count("-ERR [AUTH] Wrong name or password") == 3
    assert len(said) == 7
    assert isinstance(services.journal, ListJournal)
    assert services.journal.lines == ["pop3 login failed: H=[127.0.0.1] U=alice"] * 3


@pytest.mark.parametrize(("kind", "code"), [("throttled", "[SYS/TEMP]"), ("temporary", "[SYS/TEMP]")])
async def test_failures_that_are_not_the_passwords(services: Services, kind: str, code: str) -> None:
    assert isinstance(services.logins, FakeLogins)
    services.logins.failure = Failure(kind, "detail for the log")  # type: ignore[arg-type]
    said = await talk(services, LOGIN)
    assert said[2].startswith(f"-ERR {code}")
    assert "detail" not in said[2]


async def test_errors_are_bounded(services: Services) -> None:
    said = await talk(services, script(*["XYZZY"] * 50), settings=Settings(most_errors=4))
    assert len(said) == 5
    assert said[-1] == "-ERR Unknown command; too many errors, goodbye"


async def test_slow_login_is_cut(services: Services) -> None:
    clock = services.clock
    assert isinstance(clock, JumpClock)

    class Dawdler(ScriptedConnection):
        async def read(self, timeout: float) -> bytes:
            clock.jump(25)
            return b"N"

    connection = Dawdler()
    await Session(connection, services).run()
    assert bytes(connection.sent).endswith(b"-ERR [SYS/TEMP] Idle for too long\r\n")


async def test_unexpected_trouble_costs_one_connection(services: Services) -> None:
    class Broken(FakeLogins):
        async def password(self, name: str, password: str, peer_address: str) -> Success | Failure:
            raise ZeroDivisionError("inside")

    journal = ListJournal()
    broken = Services(Broken(), services.stores, services.locks, services.clock, journal)
    said = await talk(broken, LOGIN)
    assert said[-1] == "-ERR [SYS/TEMP] Internal error"
    assert journal.panics == ["pop3 session with [127.0.0.1] failed: ZeroDivisionError: inside"]


NASTY = [
    b".\r\n..\r\n...\r\n\r\n.\r\n",
    b"S: x\r\n\r\n" + b"x" * 300_000 + b"\r\n.y\r\n",
    b"S: \xff\x00\xfe\r\n\r\n" + bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n",
    b"S: x\r\n\r\n" + b".\r\n" * 50_000,
    b"\r\n" * 3,
]


@pytest.mark.parametrize("message", NASTY)
async def test_byte_for_byte_and_in_bounded_pieces(services: Services, message: bytes) -> None:
    await put(services, message)
    connection = ScriptedConnection(LOGIN + script("RETR 1"))
    await Session(connection, services).run()
    _, _, sent = bytes(connection.sent).partition(b"+OK %d octets\r\n" % len(message))
    assert sent.endswith(b"\r\n.\r\n")
    lines = sent.split(b"\r\n")[:-2]
    received = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)
    assert received == message
    assert connection.largest_write < 140_000


async def test_flood_of_commands_goes_out_in_pieces(services: Services) -> None:
    await put(services, *[b"x"] * 200)
    connection = ScriptedConnection(LOGIN + script(*["UIDL"] * 200))
    await Session(connection, services).run()
    assert connection.sent.count(b"The list follows") == 200
    assert connection.largest_write < 100_000


async def test_seen_after_retrieval(services: Services) -> None:
    await put(services, b"1", b"2", b"3")
    await talk(services, LOGIN + script("RETR 1", "TOP 2 0", "RETR 3", "DELE 3", "QUIT"))
    inbox = await (await services.stores.open_store(ALICE.home)).open("INBOX")
    assert [(entry.uid, "\\Seen" in entry.flags) for entry in inbox.entries()] == [(1, True), (2, False)]
