"""Mail that was not made for us, byte for byte: in by DATA and BDAT, out by POP3 and IMAP; in by APPEND, out by IMAP.

What comes out is what went in, with the trace headers in front: Return-path:, Envelope-to:, Delivery-date:, Received:. The daemon runs
the shipped policy without `control = submission`, which completes messages of our own users. PILLARBOX_LONG=1 sends 10,000 generated
messages instead of 300.
"""

from __future__ import annotations

import imaplib
import os
import poplib
import random
import re
from collections.abc import Iterator, Sequence

import pytest
from tests.process.clients import give_up
from tests.process.daemon import Daemon, User, wait_until
from tests.process.raw_smtp import RawSmtp, Refused
from tests.support.corpus import Sample, borderline_samples, cpython_samples, generated, sdist_samples

pytestmark = pytest.mark.process

GENERATED = 10_000 if os.environ.get("PILLARBOX_LONG") else 300
LINE_MAX = 998
LINE_TOO_LONG = "550 5.7.1 maximum allowed line length is 998 octets, got "
_ID = re.compile(rb"\n\tid (\S+)")
_TRACE = re.compile(
    rb"Return-path: <sender@localhost>\r\nEnvelope-to: \S+\r\nDelivery-date: [^\r\n]*\r\nReceived: (?:[^\r\n]*\r\n[ \t])*[^\r\n]*\r\n"
)


@pytest.fixture(scope="module")
def plain_daemon() -> Iterator[Daemon]:
    """One that adds nothing but trace headers."""
    with Daemon.started("--workers", "2") as daemon:
        daemon.reconfigure(
            ("          control       = submission\n", ""),
            ("          control       = submission/sender_retain\n", ""),
        )
        yield daemon
        assert daemon.panics == ""


def chopped(content: bytes, chance: random.Random) -> Iterator[bytes]:
    """BDAT chunks of odd sizes, also of one byte and between CR and LF."""
    position = 0
    while position < len(content):
        size = chance.choice([1, 2, 7, 1000, 65_536, 1_000_000])
        yield content[position : position + size]
        position += size
        if position > 100_000:
            yield content[position:]
            return


def send_all(daemon: Daemon, samples: Sequence[Sample], user: User) -> dict[str, Sample]:
    """By DATA and BDAT in turn; message id → sample. Refused is only what has lines longer than RFC 5322 allows."""
    chance, taken, refused = random.Random(7), {}, []
    with RawSmtp(daemon.ports["smtp"]) as client:
        for number, sample in enumerate(samples):
            try:
                if number % 2:
                    taken[client.data(user.address, sample.sent)] = sample
                else:
                    taken[client.bdat(user.address, chopped(sample.sent, chance))] = sample
            except Refused as error:
                refused.append((sample.name, str(error)))
                client.ask(b"RSET")
    too_long = [sample for sample in samples if sample.longest_line > LINE_MAX]
    assert refused == [(sample.name, f"{LINE_TOO_LONG}{sample.longest_line}") for sample in too_long]
    wait_until(lambda: len(daemon.delivered(user)) == len(taken), f"{len(taken)} delivered", 120)
    return taken


def by_pop3(daemon: Daemon, user: User, monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    monkeypatch.setattr(poplib, "_MAXLINE", 10_000_000)
    context = daemon.tls_context()
    client = poplib.POP3_SSL("localhost", daemon.ports["pop3s"], context=context, timeout=60)
    client.user(user.name)
    client.pass_(user.password)
    for number in range(1, client.stat()[0] + 1):
        yield b"".join(line + b"\r\n" for line in client.retr(number)[1])
    client.quit()


def by_imap(client: imaplib.IMAP4, box: str) -> Iterator[bytes]:
    count = int((client.select(box, readonly=True)[1][0] or b"0").decode())
    for first in range(1, count + 1, 20):
        _, data = client.fetch(f"{first}:{first + 19}", "(RFC822.SIZE BODY.PEEK[])")
        for each in data:
            if isinstance(each, tuple):
                size = re.search(rb"RFC822.SIZE (\d+)", each[0])
                assert size is not None and int(size[1]) == len(each[1])
                yield each[1]


def compare(messages: Iterator[bytes], taken: dict[str, Sample]) -> None:
    """Each of `taken` is there once, unchanged behind its trace headers."""
    left, wrong = dict(taken), []
    for message in messages:
        trace = _TRACE.match(message)
        assert trace is not None, message[:600]
        found = _ID.search(trace[0])
        assert found is not None, trace[0]
        sample = left.pop(found[1].decode())
        if message[trace.end() :] != sample.kept:
            wrong.append(_difference(sample.name, sample.kept, message[trace.end() :]))
    assert wrong == []
    assert left == {}


def _difference(name: str, sent: bytes, got: bytes) -> str:
    pairs = enumerate(zip(sent, got, strict=False))
    at = next((number for number, (a, b) in pairs if a != b), min(len(sent), len(got)))
    start = max(at - 40, 0)
    return f"{name}: at {at}: sent {sent[start : at + 40]!r}, got {got[start : at + 40]!r}"


def through(daemon: Daemon, samples: Sequence[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    """In by SMTP, out by POP3 and IMAP."""
    user = daemon.add_user()
    taken = send_all(daemon, samples, user)
    compare(by_pop3(daemon, user, monkeypatch), taken)
    with daemon.imap(user) as client:
        compare(by_imap(client, "INBOX"), taken)


def appended(daemon: Daemon, samples: Sequence[Sample]) -> None:
    """In by APPEND, out by IMAP; every other one without its last newline."""
    user = daemon.add_user()
    contents = [
        sample.sent if number % 2 else sample.sent.removesuffix(b"\r\n")
        for number, sample in enumerate(samples)
    ]
    with daemon.imap(user) as client:
        for content in contents:
            assert client.append("Archive", "", "", content)[0] == "OK"
        got = list(by_imap(client, "Archive"))
    assert len(got) == len(contents)
    for number, (content, came) in enumerate(zip(contents, got, strict=True)):
        assert content == came, _difference(samples[number].name, content, came)


def test_cpython_samples(plain_daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = cpython_samples()
    if not samples:
        give_up("no CPython here has its tests; tools/clients installs them")
    through(plain_daemon, samples, monkeypatch)
    appended(plain_daemon, samples)


def test_samples_of_other_packages(plain_daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = sdist_samples()
    if not samples:
        give_up("no samples in .cache; tools/samples fetches them")
    through(plain_daemon, samples, monkeypatch)
    appended(plain_daemon, samples)


def test_borderline_messages(plain_daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = borderline_samples()
    through(plain_daemon, samples, monkeypatch)
    appended(plain_daemon, [sample for sample in samples if len(sample.data) < 1_000_000])


def test_generated_messages(plain_daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    through(plain_daemon, list(generated(GENERATED)), monkeypatch)


def test_addresses_in_utf8(plain_daemon: Daemon) -> None:
    """SMTPUTF8: the sender's address comes out as it went in, in the trace and in the log."""
    user = plain_daemon.add_user()
    message = "From: jörg@localhost\r\nTo: 用户@例え.jp\r\nSubject: Grüße\r\n\r\nx\r\n".encode()
    with RawSmtp(plain_daemon.ports["smtp"]) as client:
        client.ask("MAIL FROM:<jörg@localhost> SMTPUTF8 BODY=8BITMIME".encode())
        client.ask(f"RCPT TO:<{user.address}>".encode())
        client.ask(b"DATA")
        client.ask(message + b".")
    got = wait_until(lambda: plain_daemon.delivered(user), "delivery")[0].read_bytes()
    assert got.startswith("Return-path: <jörg@localhost>\n".encode())
    assert got.endswith(message.replace(b"\r\n", b"\n"))
    plain_daemon.await_log("<= jörg@localhost")


@pytest.mark.parametrize("bare", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\r\nb\r\n", b".\n", b"\n.\r\n"])
def test_bare_line_ends_are_refused(plain_daemon: Daemon, bare: bytes) -> None:
    """What the corpus was freed from: SMTP forbids it, and letting it pass is how messages are smuggled."""
    with RawSmtp(plain_daemon.ports["smtp"]) as client, pytest.raises(Refused, match=r"^550 5\.6\.11"):
        client.data(plain_daemon.admin.address, b"Subject: x\r\n\r\n" + bare + b"end\r\n")
