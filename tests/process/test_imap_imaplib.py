"""Python's imaplib talks to sessions over loopback: what a plain client does in a day."""

from __future__ import annotations

import asyncio
import imaplib
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.clock import JumpClock
from tests.support.imap import FakeJournal, FakeLogins

from pillarbox.backends.mailstore.maildir.store import MaildirStores
from pillarbox.backends.mailstore.memory import MemoryStores
from pillarbox.mailbox.imap.services import Services
from pillarbox.mailbox.imap.session import Session
from pillarbox.ports.localwork import Actor
from pillarbox.ports.mailstore import MailStore, MailStores
from pillarbox.ports.network import DialError

pytestmark = pytest.mark.process

MESSAGE = (
    b"From: a@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello, \xff\r\n"
    + b"line\r\n" * 20_000
)


class StreamConnection:
    """The session's connection over asyncio streams: good enough for a test."""

    tls_cipher = ""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.peer_address: tuple[str, int] = writer.get_extra_info("peername")[:2]

    async def read(self, timeout: float) -> bytes:
        return await asyncio.wait_for(self._reader.read(65_536), timeout)

    async def write(self, data: bytes, timeout: float) -> None:
        try:
            self._writer.write(data)
            await asyncio.wait_for(self._writer.drain(), timeout)
        except ConnectionError as error:
            raise DialError("lost_connection", str(error)) from error

    async def start_tls_server(self, timeout: float) -> None:
        raise DialError("tls", "no TLS here")

    def pending(self) -> bool:
        return False

    def channel_bindings(self) -> Mapping[str, bytes]:
        return {}

    def close(self) -> None:
        self._writer.close()


def day_of_a_client(port: int) -> None:
    with imaplib.IMAP4("127.0.0.1", port, timeout=10) as client:
        assert "IMAP4REV1" in client.capabilities
        with suppress(imaplib.IMAP4.error):
            client.login("alice", "wrong")
        assert client.login("alice", "secret")[0] == "OK"
        assert client.create("Work")[0] == "OK"
        stamp = imaplib.Time2Internaldate(time.time())
        assert client.append("Work", "(\\Flagged)", stamp, MESSAGE)[0] == "OK"
        assert client.append("Work", "", stamp, b"Subject: two\r\n\r\nx\r\n")[0] == "OK"
        assert client.select("Work") == ("OK", [b"2"])
        assert client.search(None, "FLAGGED") == ("OK", [b"1"])
        assert client.search(None, "SUBJECT", "two") == ("OK", [b"2"])
        _, data = client.fetch("1", "(RFC822)")
        assert isinstance(data[0], tuple) and data[0][1] == MESSAGE
        _, data = client.uid("FETCH", "1:*", "(FLAGS ENVELOPE BODYSTRUCTURE)")
        assert len(data) == 2
        assert client.copy("1:2", "INBOX")[0] == "OK"
        client.store("1", "+FLAGS", "\\Deleted")
        assert client.expunge() == ("OK", [b"1"])
        assert client.status("INBOX", "(MESSAGES UNSEEN)") == ("OK", [b"INBOX (MESSAGES 2 UNSEEN 1)"])
        assert client.rename("Work", "Play")[0] == "OK"
        assert [line.split()[-1] for line in client.list()[1] if isinstance(line, bytes)][-2:] == [
            b"Sent",
            b"Trash",
        ]
        assert client.close()[0] == "OK"


class MaildirBeneath:
    """Homes below a directory of the test's own."""

    def __init__(self, root: Path) -> None:
        self._root, self._stores = root, MaildirStores(JumpClock())

    async def open_store(self, home: str, actor: Actor | None = None) -> MailStore:
        return await self._stores.open_store(str(self._root / home.replace("/", "_")))


@pytest.mark.parametrize("kind", ["memory", "maildir"])
async def test_imaplib(kind: str, tmp_path: Path) -> None:
    clock, journal = JumpClock(), FakeJournal()
    stores: MailStores = MemoryStores(clock) if kind == "memory" else MaildirBeneath(tmp_path)
    services = Services(FakeLogins(), stores, clock, journal)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Session(StreamConnection(reader, writer), services).run()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await asyncio.to_thread(day_of_a_client, server.sockets[0].getsockname()[1])
    assert [line for line in journal.lines if "panic" in line] == []
