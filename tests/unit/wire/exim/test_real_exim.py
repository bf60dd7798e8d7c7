"""Exim's own programs read what we write, and we read what they write. Skipped where there is no current Exim.

`tools/peers exim-current` unpacks one below .cache/peers; a system's own `exim4` of 4.97 or later serves as well.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.servers.server import PEERS
from tests.support.clock import StoppedClock

from pillarbox.backends.spool.local import LocalSpool
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, RemoteHost
from pillarbox.mail.progress import Attempted, Frozen, Settled
from pillarbox.mail.reply import Reason, Reply
from pillarbox.wire.exim.log_line import line_completed, line_received
from pillarbox.wire.exim.outcome_line import line_outcome

pytestmark = pytest.mark.oracle

HEADERS = b"Received: by us\n\tid x\nFrom: alice@example.org\nTo: bob@example.net\nSubject: seen by Exim\nMessage-ID: <m@x>\n"
CONFIGURATION = """\
spool_directory = {spool}
log_file_path = {spool}/log/%slog
primary_hostname = mx.example.org
acl_smtp_rcpt = take
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
rfc1413_query_timeout = 0s
queue_only = true
keep_environment =
begin acl
take:
  accept set acl_c_foo = bar
         set acl_m_two = a\\nb
"""


def find_program(name: str) -> str:
    for root in ("exim-current", "exim"):
        path = PEERS / root / "root/usr/sbin" / name
        if path.exists() and (name != "exim4" or root == "exim-current"):
            return str(path)
    found = shutil.which(name)
    if not found:
        pytest.skip(f"no {name} here: tools/peers exim-current unpacks one")
    return found


def run(*command: str, text: str = "", status: int = 0) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + (done.stderr if status else "")


class Exim:
    def __init__(self, directory: Path) -> None:
        self.program = find_program("exim4")
        self.spool = directory / "spool"
        self.configuration = directory / "exim.conf"
        self.configuration.write_text(CONFIGURATION.format(spool=self.spool))

    def __call__(self, *arguments: str, text: str = "", status: int = 0) -> str:
        return run(self.program, "-C", str(self.configuration), *arguments, text=text, status=status)

    def own_files(self) -> None:
        for path in [self.spool, *self.spool.rglob("*")]:
            os.chown(path, pwd.getpwnam("Debian-exim").pw_uid, -1)


@pytest.fixture
def exim() -> Iterator[Exim]:
    if os.geteuid() != 0:
        pytest.skip("Exim takes -C with another spool from root only")
    with tempfile.TemporaryDirectory(prefix="pillarbox-exim-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "spool" / "log").mkdir(parents=True)
        made = Exim(directory)
        done = subprocess.run(
            [made.program, "-C", str(made.configuration), "-bV"], capture_output=True, text=True, check=False
        )
        found = re.search(r"version (\d+)\.(\d+)", done.stdout)
        if done.returncode or not found or (int(found[1]), int(found[2])) < (4, 97):
            pytest.skip(f"no usable Exim of 4.97 or later: {done.stderr.strip() or done.stdout[:60]}")
        made.own_files()
        yield made


def envelope_of(message_id: str) -> Envelope:
    return Envelope(
        id=message_id,
        sender="alice@example.org",
        recipients=(
            Recipient("bob@example.net", ("FAILURE", "DELAY"), "rfc822;Bob@x"),
            Recipient("carol@example.net"),
        ),
        origin=Origin(
            protocol="esmtpsa",
            host_address="192.0.2.1",
            host_port=99,
            helo="client.example",
            interface_address="192.0.2.9",
            interface_port=25,
            authenticator="plain",
            authenticated_id="alice",
            tls_cipher="TLS1.3:TLS_AES_256_GCM_SHA384:256",
        ),
        received_at=1_800_000_000.25,
        ret="HDRS",
        envid="e1",
        acl_variables=(("acl_m_x", "1\n2"),),
    )


async def park_one(spool: LocalSpool, body: bytes) -> str:
    message_id = spool.new_id()
    await spool.accept(envelope_of(message_id), Message(HEADERS, MemoryBody(body)))
    spool.record(
        message_id, [Settled("carol@example.net", 1.0), Frozen(1_800_000_001.0), Attempted(1.0, 2.0)]
    )
    await spool.park(message_id)
    return message_id


async def test_exim_and_exipick_read_our_files(exim: Exim) -> None:
    spool = LocalSpool(str(exim.spool), StoppedClock(), segment_size=1 << 20)
    await spool.start()
    message_id = await park_one(spool, b"first\n.second\n")
    exim.own_files()

    listed = exim("-bp")
    assert re.search(
        rf"{message_id} <alice@example.org> \*\*\* frozen \*\*\*\n\s+bob@example.net\n\s+D carol@example.net",
        listed,
    )
    size = re.search(r"^\s*\S+\s+(\S+)", listed)
    assert size and size.group(1) == str(len(HEADERS) + 1 + 14)
    assert "FAILURE" not in exim("-Mvh", message_id)
    assert "014  Date" not in exim("-Mvh", message_id)
    assert exim("-Mvb", message_id) == f"{message_id}-D\nfirst\n.second\n"
    assert exim("-Mvc", message_id).encode() == HEADERS + b"\nfirst\n.second\n"

    exipick = find_program("exipick")
    pick = ["perl", exipick, "--spool", str(exim.spool)]
    assert run(*pick, "-i").split() == [message_id]
    assert run(*pick, "-i", "$sender_host_address eq 192.0.2.1", "--and", "$acl_m_x").split() == [message_id]
    assert "bob@example.net" in run(*pick, "$deliver_freeze")

    exim("-Mar", message_id, "dora@example.net")
    exim("-Mt", message_id)
    claimed = await spool.claim(message_id)
    assert [r.address for r in claimed.envelope.recipients] == [
        "bob@example.net",
        "carol@example.net",
        "dora@example.net",
    ]
    assert claimed.envelope.recipients[0].notify == ("FAILURE", "DELAY")
    assert (claimed.progress.is_frozen, claimed.progress.thawed_by_hand) == (False, True)
    assert claimed.progress.settled == {"carol@example.net"}
    assert claimed.envelope.acl_variables == (("acl_m_x", "1\n2"),)
    exim.own_files()
    assert "locked" in exim("-Mrm", message_id, status=1)
    await spool.release(message_id)
    exim("-Mrm", message_id)
    assert list(spool.waiting()) == []
    await spool.stop()


SESSION = """\
EHLO [1.2.3.4]
MAIL FROM:<a@b.example> RET=HDRS ENVID=QQ314159 SMTPUTF8
RCPT TO:<u1@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+20@x
RCPT TO:<"q q"@example.org>
DATA
From: a@b.example
Subject: hi
 folded

Body
func
.
QUIT
"""


async def test_we_read_what_exim_has_queued(exim: Exim) -> None:
    exim(
        "-bs",
        "-oMa",
        "192.0.2.7.3456",
        "-oMaa",
        "plain",
        "-oMai",
        "user1",
        text=SESSION.replace("\n", "\r\n"),
    )
    spool = LocalSpool(str(exim.spool), StoppedClock(), segment_size=1 << 20)
    await spool.start()
    (message_id,) = spool.waiting()
    queued = await spool.claim(message_id)
    envelope, origin = queued.envelope, queued.envelope.origin
    assert (envelope.sender, envelope.ret, envelope.envid, envelope.smtputf8) == (
        "a@b.example",
        "HDRS",
        "QQ314159",
        True,
    )
    assert envelope.recipients == (
        Recipient("u1@example.org", ("SUCCESS", "DELAY"), "rfc822;Bob+20@x"),
        Recipient('"q q"@example.org'),
    )
    assert (origin.host_address, origin.host_port, origin.helo) == ("192.0.2.7", 3456, "[1.2.3.4]")
    assert (origin.authenticator, origin.authenticated_id, origin.caller_uid) == ("plain", "user1", -1)
    assert envelope.acl_variables == (("acl_c_foo", "bar"), ("acl_m_two", "a\nb"))
    assert queued.message.headers.endswith(b"From: a@b.example\nSubject: hi\n folded\n")
    assert b"".join(queued.message.body.chunks()) == b"Body\nfunc\n"
    assert (queued.message.body.lines, queued.progress.attempts) == (2, 0)

    logged = (exim.spool / "log" / "mainlog").read_text()
    assert line_received(envelope, queued.message) in logged
    await spool.stop()


def log_of_four_outcomes() -> str:
    message_id = "1xVBlU-000000002vd-3Fbs"
    envelope = envelope_of(message_id)
    host = RemoteHost("mx.example.net", "192.0.2.33")
    ways: dict[str, str] = {"router": "dnslookup", "transport": "remote_smtp"}
    reply = Reply(250, 'Ok: "queued"', "2.0.0")
    outcomes = [
        Delivered(
            address="u1@example.org",
            recipient="bob@example.org",
            path="/m/u1",
            router="local",
            transport="maildir",
        ),
        Delivered(address="bob@example.net", recipient="bob@example.net", host=host, reply=reply, **ways),
        Failed(
            address="bad@example.net", recipient="bad@example.net", host=host, reason=Reason("550 no"), **ways
        ),
        Deferred(
            address="d@example.net",
            recipient="d@example.net",
            host=host,
            reason=Reason("Connection refused"),
            **ways,
        ),
    ]
    lines = [line_received(envelope, Message(HEADERS, MemoryBody(b"x\n")))]
    lines += [line_outcome(message_id, outcome) for outcome in outcomes]
    lines.append(line_completed(message_id))
    return "".join(f"2026-11-22 17:55:0{n} {line}\n" for n, line in enumerate(lines))


def test_exigrep_and_eximstats_understand_our_lines(tmp_path: Path) -> None:
    text = log_of_four_outcomes()
    log = tmp_path / "mainlog"
    log.write_text(
        text + "2026-11-22 17:56:00 1xVBmM-0000000032p-39gy <= other@example.org U=root P=local S=377\n"
    )
    found = run("perl", find_program("exigrep"), "bob@example.net", str(log))
    assert [line for line in found.splitlines() if line] == text.splitlines()
    statistics = run("perl", find_program("eximstats"), "-nr", "-ne", str(log))
    received = re.search(r"^  Received +(\d+) +(\d+) +(\d+) +(\d+) ", statistics, re.MULTILINE)
    delivered = re.search(r"^  Delivered +(\d+) +(\d+) ", statistics, re.MULTILINE)
    assert received and received.groups() == ("486", "2", "2", "1")
    assert delivered and delivered.groups() == ("218", "2")
    assert re.search(r"^  maildir +109 +1$", statistics, re.MULTILINE)
