"""Real mail servers take our mail and send us theirs: Exim and Postfix from .cache/peers (tools/peers), and a second Pillarbox.

Each peer delivers `mail.test` into Maildirs of its own, and sends mail for `relay.example` to us; both ways with STARTTLS.
"""

from __future__ import annotations

import os
import signal
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from bench.message import DOMAIN, RELAY_DOMAIN
from bench.servers.exim import Exim
from bench.servers.postfix import Postfix
from bench.servers.server import Server, Setup, Unavailable, signal_all
from tests.process.daemon import Daemon, User, free_ports, wait_until
from tests.process.prepared import prepare

pytestmark = pytest.mark.process

IS_LONG = bool(os.environ.get("PILLARBOX_LONG"))
LOCAL = (
    "\ndomainlist local_domains = @ : localhost\n",
    f"\ndomainlist local_domains = @ : localhost : {RELAY_DOMAIN}\n",
)
ROUTER = """begin routers

peer:
  driver = manualroute
  domains = @DOMAIN@
  transport = peer_smtp
  route_list = * 127.0.0.1::@PORT@
  self = send

"""
TRANSPORT = """begin transports

peer_smtp:
  driver = smtp
  hosts_require_tls = *

"""
SCRAM = """begin authenticators

by_scram:
  driver = scram
  public_name = SCRAM-SHA-256
  client_username = @NAME@
  client_password = @PASSWORD@

"""
SENDER = f"user9@{DOMAIN}"
"""Exim verifies senders."""
BODY = "Grüße.\n.\n..two dots\n" + "a long line " * 70 + "\n" + "x" * 20 + "\n"


class TlsExim(Exim):
    """Offers STARTTLS."""

    def configure(self) -> None:
        super().configure()
        pem = certificate(self.folder)
        path = self.folder / "exim.conf"
        text = path.read_text().replace(
            "tls_advertise_hosts =\n", f"tls_advertise_hosts = *\ntls_certificate = {pem}\n"
        )
        path.write_text(text)


class TlsPostfix(Postfix):
    """Offers STARTTLS, and uses it where it is offered."""

    def main_cf(self) -> str:
        pem = certificate(self.folder)
        return super().main_cf().replace("defer_transports = smtp\n", "") + (
            f"smtpd_tls_chain_files = {pem}\nsmtpd_tls_security_level = may\nsmtp_tls_security_level = may\n"
        )


def certificate(folder: Path) -> Path:
    """A key and a certificate in one file."""
    path = folder / "server.pem"
    trustme.CA().issue_cert("mail.test", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(path))
    path.chmod(0o644)
    return path


@contextmanager
def running(kind: type[Server], folder: Path, our_port: int) -> Iterator[Server]:
    """The peer, or a skipped test with the reason."""
    try:
        kind.version()
        server = kind(Setup(folder=folder / kind.name, sink_port=our_port))
        server.prepare()
    except Unavailable as reason:
        pytest.skip(f"{kind.name}: {reason}")
    try:
        server.start()
        yield server
    except Unavailable as reason:
        pytest.fail(f"{kind.name}: {reason}")
    finally:
        signal_all(server.group.pids(), signal.SIGTERM)
        server.stop()


@contextmanager
def beside(kind: type[Server], *arguments: str) -> Iterator[tuple[Daemon, Server]]:
    """A Pillarbox and the peer, each knowing the other."""
    daemon = Daemon(*arguments)
    try:
        with running(kind, daemon.folder, daemon.ports["smtp"]) as server:
            router = ROUTER.replace("@DOMAIN@", DOMAIN).replace("@PORT@", str(server.port))
            prepare(daemon, LOCAL, ("begin routers\n", router), ("begin transports\n", TRANSPORT))
            daemon.start()
            yield daemon, server
            assert daemon.panics == ""
    finally:
        daemon.remove()


@pytest.fixture(scope="module", params=[TlsExim, TlsPostfix], ids=["exim", "postfix"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Daemon, Server]]:
    with beside(request.param, "--workers", "1") as both:
        yield both


def letter(subject: str, body: str = BODY) -> bytes:
    return f"From: x@localhost\nSubject: {subject}\n\n{body}".encode()


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("new/*") if path.is_file()]


def body_of(path: Path) -> bytes:
    return path.read_bytes().partition(b"\n\n")[2]


def await_file(folder: Path, subject: str) -> Path:
    wanted = f"Subject: {subject}\n".encode()
    return wait_until(
        lambda: next((path for path in files_below(folder) if wanted in path.read_bytes()), None),
        f"{subject} in {folder}",
    )


def test_a_peer_takes_our_mail(pair: tuple[Daemon, Server]) -> None:
    daemon, peer = pair
    daemon.send(letter("to the peer"), to=f"user3@{DOMAIN}", sender=SENDER, options=["BODY=8BITMIME"])
    line = daemon.await_log(f"=> user3@{DOMAIN}")
    assert " R=peer T=peer_smtp H=127.0.0.1 [127.0.0.1] X=TLS1.3:" in line
    assert body_of(await_file(peer.maildir_root, "to the peer")) == BODY.encode()


def test_a_peer_takes_several_over_one_connection(pair: tuple[Daemon, Server]) -> None:
    daemon, peer = pair
    for number in range(5):
        daemon.send(letter(f"again {number}"), to=f"user4@{DOMAIN}", sender=SENDER, options=["BODY=8BITMIME"])
        await_file(peer.maildir_root, f"again {number}")
        wait_until(
            lambda number=number: daemon.log.count(f"=> user4@{DOMAIN}") > number,  # type: ignore[misc]
            "our line about it",
        )
    reused = [
        line for line in daemon.log.splitlines() if f"=> user4@{DOMAIN}" in line and "[127.0.0.1]* X=" in line
    ]
    assert len(reused) >= 3


def test_a_peer_refuses_somebody(pair: tuple[Daemon, Server]) -> None:
    daemon, _ = pair
    user = daemon.add_user()
    daemon.send(letter("nobody"), to=f"nobody-here@{DOMAIN}", sender=user.address, options=["BODY=8BITMIME"])
    assert " : SMTP error from remote mail server after RCPT TO:<nobody-here@" in daemon.await_log(
        "** nobody-here@"
    )
    [bounce] = wait_until(lambda: daemon.delivered(user), "a bounce")
    assert b"Action: failed" in bounce.read_bytes()


def test_a_peer_sends_us_mail(pair: tuple[Daemon, Server]) -> None:
    daemon, peer = pair
    user = daemon.add_user()
    with smtplib.SMTP("127.0.0.1", peer.port, timeout=30) as client:
        client.sendmail(
            f"user1@{DOMAIN}",
            [f"{user.name}@{RELAY_DOMAIN}"],
            letter("from the peer").replace(b"\n", b"\r\n"),
            ["BODY=8BITMIME"],
        )
    [path] = wait_until(lambda: daemon.delivered(user), f"mail from {peer.name}: {peer.last_words()}")
    assert body_of(path) == BODY.encode()
    line = daemon.await_log(f"<= user1@{DOMAIN} H=")
    assert " P=esmtps X=TLS1.3:" in line


def test_a_large_message_through_a_peer_and_back(pair: tuple[Daemon, Server]) -> None:
    daemon, peer = pair
    size = 300_000 if IS_LONG else 20_000
    body = "".join(f".{number} of many\n" for number in range(size))
    daemon.send(letter("large", body), to=f"user5@{DOMAIN}", sender=SENDER)
    assert body_of(await_file(peer.maildir_root, "large")) == body.encode()


def test_pillarbox_sends_to_pillarbox() -> None:
    """The second takes relay.example; the first knows it by manualroute, and logs in there by SCRAM."""
    port = free_ports(1)[0]
    first, second = Daemon("--workers", "1"), Daemon("--workers", "1")
    try:
        second.ports["smtp"] = port
        prepare(second, LOCAL)
        second.start()
        router = ROUTER.replace("@DOMAIN@", RELAY_DOMAIN).replace("@PORT@", str(second.ports["smtp"]))
        user: User = second.add_user()
        transport = TRANSPORT.replace(
            "hosts_require_tls = *", "hosts_require_tls = *\n  hosts_require_auth = *"
        )
        scram = SCRAM.replace("@NAME@", user.name).replace("@PASSWORD@", user.password)
        prepare(
            first,
            ("begin routers\n", router),
            ("begin transports\n", transport),
            ("begin authenticators\n", scram),
        )
        first.start()
        for number in range(200 if IS_LONG else 20):
            first.send(
                letter(f"number {number}"), to=f"{user.name}@{RELAY_DOMAIN}", options=["BODY=8BITMIME"]
            )
        wanted = 200 if IS_LONG else 20
        paths = wait_until(
            lambda: found if len(found := second.delivered(user)) == wanted else [], f"{wanted} messages"
        )
        assert {body_of(path) for path in paths} == {BODY.encode()}
        line = first.await_log(f"=> {user.name}@{RELAY_DOMAIN}")
        assert " X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no A=by_scram K C=" in line
        line = second.await_log("P=esmtpsa")
        assert f"A=scram:{user.name}" in line
        assert first.panics == second.panics == ""
    finally:
        first.remove()
        second.remove()
