"""How a message came, in -H files: what is written is read again, and what Exim writes is understood."""

from __future__ import annotations

import pytest

from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.progress import Progress
from pillarbox.mail.reception import Reception
from pillarbox.wire.exim.spool_header import Owner, SpoolHeader, decode_header, encode_header

ID = "1xVBlU-000000002vd-3Fbs"
TLS = "TLS1.3:TLS_AES_256_GCM_SHA384:256"
FULL = Reception(
    active_hostname="other.example",
    mechanism="PLAIN",
    has_no_name=True,
    is_name_deferred=True,
    allows_unqualified_sender=True,
    allows_unqualified_recipient=True,
    is_sender_local=True,
    is_sender_untrusted=True,
    is_error=True,
    longest_line=1200,
    tls_resumption=17,
    peer_certificate=bytes(range(256)) * 4,
    spam_score="-1.5",
    spam_score_int="-15",
    spam_bar="-",
)


def written(reception: Reception | None, **origin: object) -> bytes:
    made = Origin(host_address="192.0.2.1", **origin)  # type: ignore[arg-type]
    envelope = Envelope(
        id=ID, sender="a@b.example", recipients=(Recipient("x@y.example"),), origin=made, received_at=1.0,
        reception=reception,
    )  # fmt: skip
    header = SpoolHeader(
        envelope=envelope, progress=Progress(), headers=b"Subject: x\n", body_lines=1, body_zeros=3
    )
    return encode_header(header, Owner("mail", 8, 8))


def test_all_of_it_comes_back() -> None:
    data = written(FULL, tls_cipher=TLS, tls_verified=True, tls_peer_name="CN=client")
    again = decode_header(data, "x-H")
    assert again.envelope.reception == FULL
    assert again.envelope.origin.tls_verified
    assert again.envelope.origin.tls_peer_name == "CN=client"
    assert again.body_zeros == 3
    assert b"\n-tls_ver TLS1.3\n" in data
    assert b"\n-tls_resumption R\n" in data
    assert b"\n--tls_peercert -----BEGIN CERTIFICATE-----\\nAAEC" in data


def test_nothing_is_nothing() -> None:
    data = written(None)
    assert b"\n-tls_resumption A\n" in data
    assert decode_header(data, "x-H").envelope.reception is None


@pytest.mark.parametrize(
    "line", [b"-tls_peercert rubbish", b"-max_received_linelength many", b"-tls_resumption "]
)
def test_what_cannot_be_read_is_passed_over(line: bytes) -> None:
    data = written(None, tls_cipher=TLS).replace(b"-tls_resumption A", line)
    assert decode_header(data, "x-H").envelope.reception is None
