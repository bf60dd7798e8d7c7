"""Garbage, greed and dawdling from the network: each costs its own connection only, and a bounded amount of memory."""

from __future__ import annotations

import contextlib
import imaplib
import os
import re
import resource
import smtplib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.daemon import Daemon, User, wait_until
from tests.process.prepared import command, prepare, prepared

pytestmark = pytest.mark.process

MB = 1024 * 1024
LIMITS = """smtp_receive_timeout = 2s
smtp_accept_max_per_host = 300
smtp_accept_max ="""
GARBAGE = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def server() -> Iterator[Daemon]:
    """One worker, so that all that happens happens to it; at the end it is the same process still."""
    with prepared("--workers", "1", edits=[("smtp_accept_max =", LIMITS)]) as daemon:
        (worker,) = daemon.workers
        yield daemon
        assert daemon.workers == [worker]
        assert daemon.panics == ""


@pytest.fixture(scope="module")
def owner(server: Daemon) -> User:
    return server.add_user()


@pytest.fixture(autouse=True)
def good_clients(server: Daemon, owner: User) -> Iterator[None]:
    """A good client gets its mail through behind every bad one, the memory and the descriptors come back."""
    (worker,) = server.workers
    before, descriptors = _memory(worker), _descriptors(worker)
    yield
    _use(server, owner)
    wait_until(lambda: _descriptors(worker) <= descriptors + 8, "connections closed", 20)
    assert _memory(worker) - before < 64 * MB


def _use(server: Daemon, owner: User) -> None:
    count = len(server.delivered(owner))
    server.send(b"Subject: good\n\nx\n", to=owner)
    wait_until(lambda: len(server.delivered(owner)) > count, "mail of a good client")


def _memory(pid: int) -> int:
    found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _connect(server: Daemon, role: str, timeout: float = 20.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.ports[role]), timeout=timeout)


def _pour(connection: socket.socket, data: bytes, times: int = 1) -> None:
    """Until all is sent or the other side has had enough."""
    with contextlib.suppress(ConnectionError):
        for _ in range(times):
            connection.sendall(data)


def _drain(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    pieces = []
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("role", ["smtp", "imap", "pop3"])
def test_endless_line(server: Daemon, role: str) -> None:
    (worker,) = server.workers
    before = _memory(worker)
    with _connect(server, role) as connection:
        connection.recv(1000)
        connection.settimeout(3)
        with contextlib.suppress(TimeoutError):
            _pour(connection, b"x" * MB, 32)
        assert _memory(worker) - before < 16 * MB


@pytest.mark.parametrize("role", ["smtp", "imap", "pop3", "smtps", "imaps", "pop3s"])
def test_garbage(server: Daemon, role: str) -> None:
    with _connect(server, role) as connection:
        _pour(connection, GARBAGE, 20)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            _drain(connection)


def test_tls_garbage_after_starttls(server: Daemon) -> None:
    for role, words in (
        ("smtp", b"EHLO x\r\nSTARTTLS\r\n"),
        ("imap", b"a STARTTLS\r\n"),
        ("pop3", b"STLS\r\n"),
    ):
        with _connect(server, role) as connection:
            connection.recv(1000)
            for line in words.splitlines(keepends=True):
                connection.sendall(line)
                connection.recv(4000)
            _pour(connection, GARBAGE)
            _drain(connection)


def test_ten_thousand_recipients(server: Daemon, owner: User) -> None:
    with server.smtp() as client:
        client.ehlo()
        client.mail("a@localhost")
        assert client.sock is not None
        client.sock.sendall(
            b"".join(f"RCPT TO:<{owner.name}+{n}@localhost>\r\n".encode() for n in range(2000))
        )
        codes = [client.getreply()[0] for _ in range(2000)]
        assert codes[:1000] == [250] * 1000 and set(codes[1000:]) == {452}
        assert client.rset()[0] == 250


def test_too_big_announced(server: Daemon, owner: User) -> None:
    with server.smtp() as client:
        client.ehlo()
        assert client.mail("a@localhost", [f"SIZE={100 * MB}"])[0] == 552
        assert client.rset()[0] == 250
        assert client.mail("a@localhost", ["SIZE=99999999999999999999999"])[0] in (501, 552)


@pytest.mark.parametrize("verb", ["DATA", "BDAT", "BDAT in pieces"])
def test_too_big_unannounced(server: Daemon, owner: User, verb: str) -> None:
    """100 MB where 50 are allowed: refused, nothing of it kept, and the connection still good where the client is honest."""
    (worker,) = server.workers
    before = _memory(worker)
    line = b"y" * 998 + b"\r\n"
    with server.smtp() as client:
        client.ehlo()
        client.mail("a@localhost")
        client.rcpt(owner.address)
        assert client.sock is not None
        if verb == "DATA":
            client.docmd("DATA")
            _pour(client.sock, line * 1000, 100)
            client.sock.sendall(b".\r\n")
            assert client.getreply()[0] == 552
        elif verb == "BDAT":
            client.sock.sendall(b"BDAT %d LAST\r\n" % (100 * MB))
            _pour(client.sock, b"z" * MB, 100)
            assert client.getreply()[0] in (552, 523)
        else:
            codes = []
            piece = line * (10 * MB // len(line))
            for _ in range(6):
                client.sock.sendall(b"BDAT %d\r\n" % len(piece) + piece)
                codes.append(client.getreply()[0])
            assert codes[0] == 250 and codes[-1] in (552, 503)
        assert _memory(worker) - before < 64 * MB, "nowhere near the whole of it"
        if verb != "BDAT":
            client.docmd("RSET")
    assert wait_until(
        lambda: not list((server.data / "spool" / "input").iterdir()), "nothing left in the spool"
    )


def test_nulls(server: Daemon, owner: User) -> None:
    with server.smtp() as client:
        client.ehlo()
        assert client.docmd("MAIL FROM:<a\0b@localhost>")[0] in (501, 553, 500)
        client.mail("a@localhost")
        client.rcpt(owner.address)
        assert client.data(b"Subject: nul\r\n\r\na\0b\r\n\0\0\0\r\n")[0] == 250
    wait_until(
        lambda: any(b"a\0b\n" in path.read_bytes() for path in server.delivered(owner)), "it as it was"
    )


@pytest.mark.parametrize(
    "literal", [b"{4294967296}", b"{4294967296+}", b"{99999999999999999999}", b"{100000000+}"]
)
def test_imap_literal_of_4_gb(server: Daemon, literal: bytes) -> None:
    with _connect(server, "imap") as connection:
        connection.recv(1000)
        connection.sendall(b"a LOGIN " + literal + b"\r\n")
        answer = connection.recv(1000)
        assert b"BAD" in answer or b"BYE" in answer or b"NO" in answer, answer
        assert not answer.startswith(b"+")


def test_mime_nested_ten_thousand_deep(server: Daemon, owner: User) -> None:
    """Its structure is told down to some depth; the text can be fetched whole."""
    parts = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(10_000)
    )
    server.send(b"Subject: deep\n" + parts + b"\nthe core\n", to=owner)
    wait_until(lambda: any(b"the core" in path.read_bytes() for path in server.delivered(owner)), "delivery")
    with imaplib.IMAP4("127.0.0.1", server.ports["imap"], timeout=30) as client:
        client.login(owner.name, owner.password)
        client.select("INBOX")
        (found,) = client.search(None, "SUBJECT", "deep")[1]
        number = found.split()[-1].decode()
        assert client.fetch(number, "(BODYSTRUCTURE ENVELOPE)")[0] == "OK"
        assert client.fetch(number, "(BODY[1.1.1.1.1])")[0] == "OK"
        with pytest.raises(imaplib.IMAP4.error, match="nested too deep"):
            client.fetch(number, "(BODY[" + ".".join(["1"] * 2000) + "])")


@pytest.mark.parametrize(
    ("role", "line"), [("imap", b"t NOOP\r\n"), ("pop3", b"NOOP\r\n"), ("smtp", b"NOOP\r\n")]
)
def test_ten_thousand_commands_at_once(server: Daemon, role: str, line: bytes) -> None:
    """All answered, or the connection ended with a word; never a stall."""
    with _connect(server, role) as connection:
        connection.recv(1000)
        _pour(connection, line * 10_000)
        connection.shutdown(socket.SHUT_WR)
        answers = _drain(connection).count(b"\r\n")
        assert answers >= (10_000 if role == "imap" else 1)


def test_slow_lines_end(server: Daemon) -> None:
    """A byte now and then does not hold a connection beyond smtp_receive_timeout (Exim 14: "if a line is not received")."""
    connections = [_connect(server, "smtp") for _ in range(200)]
    for each in connections:
        each.recv(1000)
    open_ones = set(connections)
    deadline = time.monotonic() + 10
    while open_ones and time.monotonic() < deadline:
        for each in list(open_ones):
            each.settimeout(0)
            try:
                each.send(b"N")
                if not each.recv(1000):
                    open_ones.discard(each)
            except BlockingIOError:
                continue
            except ConnectionError:
                open_ones.discard(each)
        time.sleep(0.1)
    for each in connections:
        each.close()
    assert not open_ones, f"{len(open_ones)} still open"


def test_half_open_connections_end(server: Daemon) -> None:
    for role in ("smtp", "smtps", "imap", "imaps", "pop3", "pop3s"):
        for number in range(30):
            connection = _connect(server, role)
            if number % 3 == 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            elif number % 3 == 1:
                connection.shutdown(socket.SHUT_WR)
            connection.close()


def test_idle_connections_are_small(server: Daemon, owner: User) -> None:
    """Of 280 sessions each costs little; more than 300 from one host are turned away, with words."""
    (worker,) = server.workers
    before = _memory(worker)
    connections = [_connect(server, "smtp") for _ in range(280)]
    for each in connections:
        each.recv(1000)
    each_costs = (_memory(worker) - before) / len(connections)
    _use(server, owner)
    more = [_connect(server, "smtp") for _ in range(40)]
    assert any(each.recv(1000).startswith(b"421") for each in more)
    for each in (*connections, *more):
        each.close()
    assert each_costs < 100 * 1024


def test_no_descriptors_left() -> None:
    """Connections are refused or told to come later, nothing is lost, and service resumes by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (90, hard))
    try:
        daemon = Daemon("--workers", "1")
        prepare(daemon)
        daemon.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        (worker,) = daemon.workers
        held: list[socket.socket] = []
        for _ in range(120):
            with contextlib.suppress(OSError):
                held.append(_connect(daemon, "imap", timeout=1))
        wait_until(lambda: _descriptors(worker) >= 85, "a worker without descriptors")
        accepted = 0
        for number in range(5):
            with contextlib.suppress(OSError, smtplib.SMTPException):
                with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"], timeout=2) as client:
                    text = f"Subject: tight {number}\r\n\r\nx\r\n".encode()
                    client.sendmail("a@localhost", [daemon.admin.address], text)
                accepted += 1
        for each in held:
            each.close()
        wait_until(lambda: _descriptors(worker) < 60, "connections closed")
        wait_until(lambda: _works(daemon, daemon.admin), "service again")
        assert daemon.workers == [worker]
        command(daemon, "exim", "-qff")
        wait_until(lambda: len(daemon.delivered(daemon.admin)) >= accepted + 1, "all that was accepted")
    finally:
        daemon.remove()


def _works(server: Daemon, owner: User) -> bool:
    try:
        _use(server, owner)
    except (OSError, smtplib.SMTPException):
        return False
    return True
