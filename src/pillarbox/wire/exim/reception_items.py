"""The items of a -H file that tell how a message came (Exim 57.1): they are for variables, and for who looks at the spool.

Our own certificate (`-tls_ourcert`) and SpamAssassin's report are not kept.
"""

from __future__ import annotations

import base64
import binascii
import textwrap
from collections.abc import Iterator, Mapping

from pillarbox.mail.envelope import Envelope
from pillarbox.mail.reception import NOTHING, Reception
from pillarbox.mail.replaced import Replaced

_FLAGS = {
    "allow_unqualified_recipient": "allows_unqualified_recipient",
    "allow_unqualified_sender": "allows_unqualified_sender",
    "host_lookup_deferred": "is_name_deferred",
    "host_lookup_failed": "has_no_name",
    "local": "is_sender_local",
    "localerror": "is_error",
    "sender_set_untrusted": "is_sender_untrusted",
}
_TEXTS = {
    "active_hostname": "active_hostname",
    "host_auth_pubname": "mechanism",
    "spam_bar": "spam_bar",
    "spam_score": "spam_score",
    "spam_score_int": "spam_score_int",
}
_NO_RESUMPTION = ord("A")
_FIRST, _LAST = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def reception_items(envelope: Envelope) -> Iterator[tuple[bytes, str]]:
    """(name with its dashes, value) of each line, in no order; an empty value: there is none."""
    reception, origin = envelope.reception or NOTHING, envelope.origin
    for name, field in _FLAGS.items():
        if getattr(reception, field):
            yield b"-%b" % name.encode(), ""
    for name, field in _TEXTS.items():
        if name != "host_auth_pubname" and (
            value := getattr(reception, field)
        ):  # that stands beside the driver's name
            yield b"-%b" % name.encode(), value
    if reception.longest_line:
        yield b"-max_received_linelength", str(reception.longest_line)
    yield b"-tls_resumption", chr(_NO_RESUMPTION + (reception.tls_resumption & 31))
    if origin.tls_cipher:
        yield b"-tls_ver", origin.tls_cipher.partition(":")[0]
    if origin.tls_verified:
        yield b"-tls_certificate_verified", ""
    if origin.tls_peer_name:
        yield b"--tls_peerdn", origin.tls_peer_name
    if reception.peer_certificate:
        yield b"--tls_peercert", _armoured(reception.peer_certificate)


def read_reception(items: Mapping[str, str], replaced: tuple[Replaced, ...]) -> Reception | None:
    """None: there is nothing to remember."""
    found: dict[str, object] = {field: True for name, field in _FLAGS.items() if name in items}
    found |= {field: items[name] for name, field in _TEXTS.items() if items.get(name)}
    length = items.get("max_received_linelength", "")
    if length.isascii() and length.isdigit() and len(length) < 16:
        found["longest_line"] = int(length)
    resumption = items.get("tls_resumption", "A")
    if resumption > "A" and "tls_cipher" in items:
        found["tls_resumption"] = (ord(resumption[0]) - _NO_RESUMPTION) & 31
    if certificate := _bared(items.get("tls_peercert", "")):
        found["peer_certificate"] = certificate
    if replaced:
        found["replaced"] = replaced
    return Reception(**found) if found else None  # type: ignore[arg-type]


def _armoured(certificate: bytes) -> str:
    """PEM (RFC 7468)."""
    lines = textwrap.wrap(base64.b64encode(certificate).decode("ascii"), 64)
    return "\n".join((_FIRST, *lines, _LAST, ""))


def _bared(text: str) -> bytes:
    """DER; empty where it is no certificate."""
    lines = text.replace("\\n", "\n").strip().split("\n")
    if lines[:1] != [_FIRST] or _LAST not in lines:
        return b""
    try:
        return base64.b64decode("".join(lines[1 : lines.index(_LAST)]), validate=True)
    except (binascii.Error, ValueError):
        return b""
