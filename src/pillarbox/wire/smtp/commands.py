"""Commands as a client writes them. The values are those the server engine's events are made of.

An argument can never break out of its line: control characters, and brackets or blanks outside quotes in an address, raise ValueError.
Parameters are written only for extensions the peer offers; those it does not are left out, but an address that is not ASCII is refused
without SMTPUTF8, for it cannot be written at all.
"""

from __future__ import annotations

import binascii
import re
from typing import assert_never

import msgspec

from pillarbox.wire.smtp.events import (
    Atrn,
    Auth,
    AuthCancelled,
    AuthResponse,
    Data,
    Expn,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
)
from pillarbox.wire.smtp.extensions import Extensions
from pillarbox.wire.smtp.grammar import encode_xtext

_ADDRESS = re.compile(
    r'(?:[^"<>\\\x00-\x20\x7f-\x9f]|"(?:[^"\\\x00-\x1f\x7f-\x9f]|\\[^\x00-\x1f\x7f-\x9f])*")+'
)
_ARGUMENT = re.compile(r"[^\x00-\x1f\x7f]*")
_TOKEN = re.compile(r"[^\x00-\x20\x7f-\x9f]+")


class Bdat(msgspec.Struct, frozen=True, gc=False):
    """A chunk of the message (RFC 3030), in LF form."""

    data: bytes
    is_last: bool


class Connect(msgspec.Struct, frozen=True, gc=False):
    """Stands for what the banner answers."""


class Content(msgspec.Struct, frozen=True, gc=False):
    """Stands for what the reply behind the message answers: to one recipient with LMTP, to all with SMTP."""

    address: str = ""
    """LMTP: the recipient; SMTP: empty."""


class Unasked(msgspec.Struct, frozen=True, gc=False):
    """Stands for nothing: the peer spoke of itself (421)."""


Command = (
    Helo
    | StartTls
    | Auth
    | AuthResponse
    | AuthCancelled
    | Mail
    | Rcpt
    | Data
    | Bdat
    | Rset
    | Noop
    | Help
    | Vrfy
    | Expn
    | Atrn
    | Quit
)
Answerable = Command | Connect | Content | Unasked


def render_command(command: Command, offered: Extensions, *, lmtp: bool = False) -> bytes:
    """The line of a command, CRLF included; for Bdat without the chunk's octets. Raises ValueError."""
    match command:
        case Mail():
            return _line(_mail(command, offered))
        case Rcpt():
            return _line(_rcpt(command, offered))
        case Helo(name=name, is_esmtp=is_esmtp):
            verb = "LHLO" if lmtp else "EHLO" if is_esmtp else "HELO"
            return _line(f"{verb} {name}")
        case Auth(mechanism=mechanism, initial=initial):
            suffix = "" if initial is None else " =" if initial == b"" else f" {_base64(initial)}"
            return _line(f"AUTH {_token(mechanism)}{suffix}")
        case AuthResponse(data=data):
            return _line(_base64(data))
        case AuthCancelled():
            return b"*\r\n"
        case Bdat(data=data, is_last=is_last):
            return b"BDAT %d LAST\r\n" % len(data) if is_last else b"BDAT %d\r\n" % len(data)
        case Help(argument=argument) | Vrfy(argument=argument) | Expn(argument=argument):
            return _line(f"{type(command).__name__.upper()} {argument}".rstrip(" "))
        case Atrn(argument=argument):
            return _line(f"ATRN {argument}".rstrip(" "))
        case Data() | Rset() | Noop() | Quit() | StartTls():
            return _BARE[type(command)]
        case _ as unreachable:
            assert_never(unreachable)


_BARE: dict[type, bytes] = {
    Data: b"DATA\r\n",
    Rset: b"RSET\r\n",
    Noop: b"NOOP\r\n",
    Quit: b"QUIT\r\n",
    StartTls: b"STARTTLS\r\n",
}


def _line(text: str) -> bytes:
    if not _ARGUMENT.fullmatch(text):
        raise ValueError("control character in an SMTP command")
    return text.encode("utf-8", "surrogateescape") + b"\r\n"


def _address(address: str, offered: Extensions) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("address cannot be written in SMTP")
    if not address.isascii() and not offered.smtputf8:
        raise ValueError("address needs SMTPUTF8, which is not offered")
    return address


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError("blank or control character in an SMTP argument")
    return text


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _mail(mail: Mail, offered: Extensions) -> str:
    words = [f"MAIL FROM:<{_address(mail.sender, offered) if mail.sender is not None else ''}>"]
    if offered.size is not None and mail.size:
        words.append(f"SIZE={mail.size:d}")
    if offered.eightbitmime and mail.body:
        words.append(f"BODY={_token(mail.body)}")
    if offered.smtputf8 and mail.smtputf8:
        words.append("SMTPUTF8")
    if offered.dsn and mail.ret:
        words.append(f"RET={_token(mail.ret)}")
    if offered.dsn and mail.envid:
        words.append(f"ENVID={_token(mail.envid)}")
    if mail.auth is not None:
        words.append(f"AUTH={'<>' if mail.auth == '<>' else encode_xtext(mail.auth)}")
    if offered.prdr and mail.prdr:
        words.append("PRDR")
    return " ".join(words)


_NOTIFY = ("NEVER", "SUCCESS", "FAILURE", "DELAY")
"""In Exim's order."""


def _rcpt(rcpt: Rcpt, offered: Extensions) -> str:
    words = [f"RCPT TO:<{_address(rcpt.address, offered)}>"]
    if offered.dsn and rcpt.notify:
        words.append(f"NOTIFY={','.join(word for word in _NOTIFY if word in rcpt.notify)}")
    if offered.dsn and rcpt.orcpt:
        words.append(f"ORCPT={_token(rcpt.orcpt)}")
    if rcpt.ignores_quota and any(other.upper() == "IGNOREQUOTA" for other in offered.others):
        words.append("IGNOREQUOTA")
    return " ".join(words)
