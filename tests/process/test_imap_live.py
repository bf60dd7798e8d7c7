"""Several sessions and workers at once: what one does, the others see, also while they IDLE."""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator

import pytest
from tests.process.daemon import Daemon, User, wait_until

pytestmark = pytest.mark.process

LETTER = b"From: a@localhost\nSubject: %b\nDate: Mon, 2 Nov 2026 10:00:00 +0000\n\nbody\n"


class Line:
    """An IMAP session spoken by hand: imaplib of Python 3.11 does not know IDLE."""

    def __init__(self, daemon: Daemon, user: User) -> None:
        plain = socket.create_connection(("localhost", daemon.ports["imaps"]), timeout=20)
        self._socket = daemon.tls_context().wrap_socket(plain, server_hostname="localhost")
        self._file = self._socket.makefile("rb")
        self.read_until(b"* OK")
        self.ask(f"LOGIN {user.name} {user.password}")

    def send(self, text: str) -> None:
        self._socket.sendall(text.encode() + b"\r\n")

    def read_until(self, start: bytes) -> list[bytes]:
        """Lines up to and with the first that begins so."""
        lines: list[bytes] = []
        while not lines or not lines[-1].startswith(start):
            line = self._file.readline()
            assert line, f"closed after {lines}"
            lines.append(line.rstrip(b"\r\n"))
        return lines

    def ask(self, command: str) -> list[bytes]:
        """The untagged answers; it must end with OK."""
        self.send(f"a {command}")
        lines = self.read_until(b"a ")
        assert lines[-1].startswith(b"a OK"), lines
        return lines[:-1]

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@contextlib.contextmanager
def line(daemon: Daemon, user: User) -> Iterator[Line]:
    opened = Line(daemon, user)
    try:
        yield opened
    finally:
        opened.close()


def accepted_by(daemon: Daemon, subject: bytes, user: User) -> str:
    """Send one; which worker took it, by the process part of its message id."""
    before = daemon.log
    daemon.send(LETTER % subject, to=user)
    taken = wait_until(lambda: re.findall(r" (\S+) <= \S+", daemon.log[len(before) :]), "it in the log")
    return str(taken[-1]).split("-")[1]


def test_idle_hears_of_deliveries_by_either_worker(daemon: Daemon, user: User) -> None:
    """Connections are spread by the kernel, so messages are sent until both workers have delivered one."""
    with line(daemon, user) as idling:
        idling.ask("SELECT INBOX")
        idling.send("a IDLE")
        idling.read_until(b"+ ")
        workers: set[str] = set()
        for number in range(1, 41):
            workers.add(accepted_by(daemon, b"%d" % number, user))
            idling.read_until(b"* %d EXISTS" % number)
            if len(workers) == 2:
                break
        assert len(workers) == 2
        idling.send("DONE")
        idling.read_until(b"a OK")


def test_idle_hears_of_flags_moves_and_expunges(daemon: Daemon, user: User) -> None:
    for subject in (b"one", b"two", b"three"):
        daemon.send(LETTER % subject, to=user)
    wait_until(lambda: len(daemon.delivered(user)) == 3, "delivery")
    sessions = [Line(daemon, user) for _ in range(6)]  # surely on both workers
    try:
        for each in sessions:
            each.ask("SELECT INBOX")
            each.send("a IDLE")
            each.read_until(b"+ ")
        with daemon.imap(user) as client:
            client.select("INBOX")
            client.store("1", "+FLAGS", "(\\Flagged $Important)")
            for each in sessions:
                assert b"\\Flagged" in each.read_until(b"* 1 FETCH")[-1]
            assert client.uid("MOVE", "2", "Archive")[0] == "OK"
            for each in sessions:
                each.read_until(b"* 2 EXPUNGE")
            client.store("2", "+FLAGS", "\\Deleted")
            client.expunge()
            for each in sessions:
                each.read_until(b"* 2 EXPUNGE")
                each.send("DONE")
                each.read_until(b"a OK")
                assert each.ask("UID SEARCH ALL") == [b"* SEARCH 1"]
                assert each.ask("STATUS Archive (MESSAGES)") == [b"* STATUS Archive (MESSAGES 1)"]
    finally:
        for each in sessions:
            each.close()


def test_idle_hears_of_a_file_that_another_program_put_there(daemon: Daemon, user: User) -> None:
    with line(daemon, user) as idling:
        idling.ask("SELECT INBOX")
        idling.send("a IDLE")
        idling.read_until(b"+ ")
        inbox = daemon.maildir(user)
        (inbox / "tmp" / "1.x").write_bytes(LETTER % b"by hand")
        (inbox / "tmp" / "1.x").rename(inbox / "new" / "1.x")
        idling.read_until(b"* 1 EXISTS")
        (inbox / "new" / "1.x").rename(inbox / "cur" / "1.x:2,S")
        assert b"\\Seen" in idling.read_until(b"* 1 FETCH")[-1]
        (inbox / "cur" / "1.x:2,S").unlink()
        idling.read_until(b"* 1 EXPUNGE")


def test_a_day_with_imaplib(daemon: Daemon, user: User) -> None:
    """Make folders, file, flag, search, delete: with STARTTLS, over sessions that may meet different workers."""
    for subject in (b"report", b"invoice 7", b"Gr\xc3\xbc\xc3\x9fe"):
        daemon.send(LETTER % subject, to=user, options=["BODY=8BITMIME"])
    wait_until(lambda: len(daemon.delivered(user)) == 3, "delivery")
    client = imaplib.IMAP4("localhost", daemon.ports["imap"], timeout=20)
    client.starttls(ssl_context=daemon.tls_context())
    with client:
        client.login(user.name, user.password)
        assert client.create("Work/2026")[0] == "OK"
        assert client.select("INBOX")[1] == [b"3"]
        assert client.search(None, "SUBJECT", "invoice")[1] == [b"2"]
        client.literal = "Grüße".encode()  # type: ignore[assignment]
        assert client.search("UTF-8", "SUBJECT")[1] == [b"3"]
        client.store("1:2", "+FLAGS", "(\\Seen Paid)")
        assert client.uid("COPY", "2", "Work/2026")[0] == "OK"
        client.store("2", "+FLAGS", "\\Deleted")
        assert client.expunge()[1] == [b"2"]
        assert client.search(None, "KEYWORD", "Paid")[1] == [b"1"]
    with daemon.imap(user) as again:
        assert again.select("Work/2026")[1] == [b"1"]
        assert again.search(None, "SEEN", "KEYWORD", "Paid", "SUBJECT", "invoice")[1] == [b"1"]
        assert again.rename("Work", "Play")[0] == "OK"
        assert again.select("Play/2026")[1] == [b"1"]
        assert again.delete("Play/2026")[0] == "OK"
        assert again.select("Play/2026")[0] == "NO"


def test_passwords_need_tls_from_afar(daemon: Daemon, user: User) -> None:
    """On loopback a password in clear is taken; the daemon's certificate is checked by name like any other."""
    with pytest.raises(ssl.SSLCertVerificationError):
        imaplib.IMAP4_SSL("127.0.0.1", daemon.ports["imaps"], ssl_context=daemon.tls_context(), timeout=20)
    with imaplib.IMAP4("127.0.0.1", daemon.ports["imap"], timeout=20) as client:
        assert client.login(user.name, user.password)[0] == "OK"
