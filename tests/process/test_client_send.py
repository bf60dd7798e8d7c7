"""Sending, as users do: STARTTLS or TLS from the start, a password, and the message is in the mailbox."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP

import pytest
from scramp import ScramClient
from tests.process.clients import Home, need
from tests.process.daemon import Daemon, User, wait_until

pytestmark = pytest.mark.process

LETTER = "From: {address}\nTo: {address}\nSubject: greetings\n\n.a dot in front\n\n..two dots\nthe end\n"


def arrived(home: Home) -> EmailMessage:
    """The one message in the user's mailbox."""
    paths = wait_until(lambda: home.daemon.delivered(home.user), f"a message for {home.user.name}")
    assert len(paths) == 1
    message = BytesParser(EmailMessage, policy=SMTP).parsebytes(paths[0].read_bytes())
    assert isinstance(message, EmailMessage)
    return message


def protocol_of(home: Home) -> str:
    """`esmtpsa scram`: how the user's message came, by the log."""
    line = home.daemon.await_log(f"<= {home.user.name}@")
    fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
    return f"{fields['P']} {fields['A'].split(':')[0]}"


# swaks


def test_swaks_with_starttls(home: Home) -> None:
    need("swaks")
    home.run(
        "swaks --server localhost:{submission} --from {address} --to {address} --tls --tls-verify --tls-ca-path {ca} "
        "--auth PLAIN --auth-user {user} --auth-password {password} --h-Subject swaks"
    )
    assert arrived(home)["subject"] == "swaks"
    assert protocol_of(home) == "esmtpsa plain"


def test_swaks_with_tls_from_the_start(home: Home) -> None:
    need("swaks")
    home.run(
        "swaks --server localhost:{smtps} --from {address} --to {address} --tls-on-connect --tls-verify "
        "--tls-ca-path {ca} --auth LOGIN --auth-user {user} --auth-password {password} --h-Subject swaks"
    )
    assert arrived(home)["subject"] == "swaks"
    assert protocol_of(home) == "esmtpsa login"


def test_swaks_with_a_wrong_password(home: Home) -> None:
    need("swaks")
    said = home.run(
        "swaks --server localhost:{submission} --from {address} --to {address} --tls "
        "--auth PLAIN --auth-user {user} --auth-password wrong",
        codes=[28],
    )
    assert "535 5.7.8" in said
    assert home.daemon.delivered(home.user) == []


def test_swaks_to_nobody(home: Home) -> None:
    need("swaks")
    said = home.run(
        "swaks --server localhost:{smtp} --local-interface 127.0.0.2 --from {address} --to nobody-here@localhost",
        codes=[24],
    )
    assert "550" in said and "Unknown user" in said


# curl, msmtp, s-nail, mutt


@pytest.mark.parametrize("scheme", ["smtps://localhost:{smtps}", "smtp://localhost:{submission} --ssl-reqd"])
def test_curl(home: Home, scheme: str) -> None:
    need("curl")
    home.write("letter", LETTER)
    home.run(
        f"curl -sS --crlf --url {scheme} --cacert {{ca}} --user {{user}}:{{password}} "
        "--mail-from {address} --mail-rcpt {address} --upload-file letter"
    )
    assert arrived(home).get_content() == ".a dot in front\n\n..two dots\nthe end\n"


@pytest.mark.parametrize("tls", ["tls_starttls on\nport {submission}", "tls_starttls off\nport {smtps}"])
def test_msmtp_with_scram(home: Home, tls: str) -> None:
    need("msmtp")
    home.write(
        ".msmtprc",
        f"account default\nhost localhost\ntls on\n{tls}\ntls_trust_file {{ca}}\n"
        "auth scram-sha-256\nuser {user}\npassword {password}\nfrom {address}\n",
    )
    home.run("msmtp {address}", text=home.fill(LETTER))
    assert arrived(home)["subject"] == "greetings"
    assert protocol_of(home) == "esmtpsa scram"


def test_s_nail(home: Home) -> None:
    need("s-nail")
    home.write("picture.png", "not really")
    home.run(
        "s-nail -:/ -Sv15-compat -Smta=submission://{user}:{password}@localhost:{submission} -Ssmtp-auth=plain "
        "-Stls-ca-file={ca} -Stls-verify=strict -Sfrom={address} -Shostname=localhost -a picture.png -s Grüße {address}",
        text="Schöne Grüße\n",
    )
    message = arrived(home)
    assert message["subject"] == "Grüße"
    body = message.get_body()
    assert isinstance(body, EmailMessage) and body.get_content() == "Schöne Grüße\n"
    assert [part.get_filename() for part in message.iter_attachments()] == ["picture.png"]


MUTT = """\
set ssl_ca_certificates_file="{ca}" certificate_file="" ssl_starttls=yes ssl_force_tls=yes
set imap_user="{user}" imap_pass="{password}" folder="imaps://localhost:{imaps}/" spoolfile=+INBOX record=+Sent
set smtp_url="smtp://{user}@localhost:{submission}/" smtp_pass="{password}" from="{address}" realname="A User"
set header_cache="" confirmappend=no wait_key=no mark_old=no
"""


def test_mutt_sends_and_keeps_a_copy(home: Home) -> None:
    """Debian's mutt takes the strongest mechanism offered and tries no other: GNU SASL's SCRAM."""
    need("mutt")
    home.write("muttrc", MUTT)
    home.run("mutt -F muttrc -s greetings {address}", text="Hello.\n")
    assert arrived(home)["subject"] == "greetings"
    assert protocol_of(home) == "esmtpsa scram"
    copies = [
        path
        for part in ("new", "cur")
        for path in (home.daemon.maildir(home.user) / ".Sent" / part).iterdir()
    ]
    assert [b"Subject: greetings\n" in path.read_bytes() for path in copies] == [True]


# gsasl: the exchange alone


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
def test_gsasl_imap(home: Home, mechanism: str) -> None:
    need("gsasl")
    said = home.run(
        f"gsasl --client --imap --connect localhost:{{imap}} --x509-ca-file={{ca}} --authentication-id={{user}} "
        f"--password={{password}} --mechanism={mechanism} --no-cb --verbose",
    )
    assert "Client authentication finished" in said


# smtplib


def test_smtplib_with_starttls(daemon: Daemon, home: Home, user: User) -> None:
    with smtplib.SMTP("localhost", daemon.ports["submission"], timeout=20) as client:
        client.starttls(context=daemon.tls_context())
        client.login(user.name, user.password)
        client.sendmail(user.address, [user.address], home.fill(LETTER).replace("\n", "\r\n"))
    assert arrived(home)["subject"] == "greetings"


def test_smtplib_sends_utf8_addresses(daemon: Daemon, home: Home, user: User) -> None:
    message = EmailMessage(policy=SMTP.clone(utf8=True))
    message["From"], message["To"], message["Subject"] = "jörg@localhost", user.address, "Grüße aus 日本"
    message.set_content("Schöne Grüße", cte="8bit")
    with smtplib.SMTP_SSL(
        "localhost", daemon.ports["smtps"], context=daemon.tls_context(), timeout=20
    ) as client:
        client.login(user.name, user.password)
        client.send_message(message, "jörg@localhost", [user.address])
    assert arrived(home)["subject"] == "Grüße aus 日本"


def test_scram_bound_to_the_tls_channel(daemon: Daemon, user: User) -> None:
    """-PLUS is offered with TLS 1.2, whose channel Python can name; with 1.3 it is not offered (RFC 9266)."""
    context = daemon.tls_context()
    with smtplib.SMTP_SSL("localhost", daemon.ports["smtps"], context=context, timeout=20) as client:
        client.ehlo()
        assert "SCRAM-SHA-256-PLUS" not in client.esmtp_features["auth"].split()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with smtplib.SMTP_SSL("localhost", daemon.ports["smtps"], context=context, timeout=20) as client:
        client.ehlo()
        assert "SCRAM-SHA-256-PLUS" in client.esmtp_features["auth"].split()
        assert isinstance(client.sock, ssl.SSLSocket)
        scram = ScramClient(
            ["SCRAM-SHA-256-PLUS"], user.name, user.password, channel_binding=("tls-unique", client.sock)
        )

        def answer(challenge: bytes | None = None) -> str:
            if challenge is None:
                return str(scram.get_client_first())
            if challenge.startswith(b"v="):
                scram.set_server_final(challenge.decode())
                return ""
            scram.set_server_first(challenge.decode())
            return str(scram.get_client_final())

        assert client.auth("SCRAM-SHA-256-PLUS", answer)[0] == 235
