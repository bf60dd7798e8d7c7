"""The commands a server knows: one row each, with what the row's argument parses to (RFC 5321 §4.1.1)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

import msgspec

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp import order
from pillarbox.wire.smtp.envelope import Refused, parse_mail, parse_rcpt
from pillarbox.wire.smtp.events import (
    Atrn,
    Auth,
    Data,
    Etrn,
    Event,
    Expn,
    Helo,
    Help,
    Mail,
    Noop,
    Problem,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
    WellKnown,
)
from pillarbox.wire.smtp.grammar import is_helo_name
from pillarbox.wire.smtp.session import Session

_MECHANISM = re.compile(r"([A-Za-z0-9_-]*)(.*)", re.DOTALL)
_BDAT = re.compile(r"([0-9]{1,18})(?: +(LAST))?", re.IGNORECASE)


class Verb(msgspec.Struct, frozen=True):
    """One command."""

    name: str
    parse: Callable[[Session, str], Event]
    """Argument → event. Raises Refused."""
    is_last: bool = True
    """Nothing may follow it before its reply (RFC 2920 §3.1, and as Exim checks)."""
    is_nonmail: bool = True
    word: str = ""
    """What its argument begins with; otherwise nobody knows the command."""
    allowance: str = ""
    """Under which name one of it is free between messages; empty: never."""


class Bdat(msgspec.Struct, frozen=True, gc=False):
    """BDAT's argument."""

    size: int
    is_last: bool


def parse_bdat(argument: str) -> Bdat | None:
    """`5 LAST`; None: unreadable."""
    match = _BDAT.fullmatch(argument)
    return Bdat(int(match.group(1)), match.group(2) is not None) if match else None


def decode_base64(text: str) -> bytes | None:
    """None: it is no base64."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None


def _helo(session: Session, argument: str, *, is_esmtp: bool, word: str) -> Helo:
    settings = session.settings
    if not (settings.helo_accept_junk or is_helo_name(argument, settings.helo_allow_chars)):
        raise Refused(Problem.SYNTAX, Reply(501, f"Syntactically invalid {word} argument(s)", "5.5.4"))
    return Helo(argument, is_esmtp)


def _mail(session: Session, argument: str) -> Mail:
    mail = parse_mail(argument, session.offer, session.settings.read_path, is_esmtp=session.is_esmtp)
    session.utf8 = mail.smtputf8
    return mail


def _rcpt(session: Session, argument: str) -> Rcpt:
    session.rcpts += 1
    rcpt = parse_rcpt(argument, session.offer, session.settings.read_path, utf8=session.utf8)
    if 0 < session.settings.recipients_max < session.rcpts:
        is_final = session.settings.recipients_max_rejects
        raise Refused(
            Problem.TOO_MANY_RECIPIENTS, order.TOO_MANY_FOR_GOOD if is_final else order.TOO_MANY_RECIPIENTS
        )
    return rcpt


def _bare(event: Event) -> Callable[[Session, str], Event]:
    """A command without argument."""

    def parse(_session: Session, argument: str) -> Event:
        if argument:
            raise Refused(Problem.SYNTAX, order.UNEXPECTED_ARGUMENT)
        return event

    return parse


def _start_tls(session: Session, argument: str) -> StartTls:
    if argument:
        raise Refused(Problem.SYNTAX, order.UNEXPECTED_ARGUMENT)
    if session.is_just_secured:
        raise Refused(Problem.SEQUENCE, order.ALREADY_SECURE)
    if session.is_tls or not session.offer.starttls:
        raise Refused(Problem.NOT_OFFERED, order.TLS_NOT_OFFERED)
    return StartTls()


def _atrn(session: Session, argument: str) -> Atrn:
    """Whoever decides about it looks at the client, too."""
    if not session.settings.can_turn:
        raise Refused(Problem.NOT_OFFERED, order.ATRN_NOT_OFFERED)
    return Atrn(argument)


def _auth(session: Session, argument: str) -> Auth:
    if not session.offer.auth and not session.settings.auth_unadvertised:
        raise Refused(Problem.NOT_OFFERED, order.AUTH_NOT_OFFERED)
    if session.is_authenticated:
        raise Refused(Problem.SEQUENCE, order.ALREADY_AUTHENTICATED)
    if session.phase in (order.MAIL, order.RCPT, order.CHUNKS):
        raise Refused(Problem.SEQUENCE, order.AUTH_IN_TRANSACTION)
    name, text = _MECHANISM.fullmatch(argument).groups()  # type: ignore[union-attr]  # all of it may be empty
    mechanism = name.upper()
    if text and not text[0].isspace():
        return Auth(mechanism, None, Problem.SYNTAX, order.BAD_MECHANISM)
    text = text.strip()
    if mechanism not in session.offer.auth and not session.settings.auth_unadvertised:
        reply = Reply(504, f"{name[:64]} authentication mechanism not supported", "5.5.4")
        return Auth(mechanism, None, Problem.NOT_OFFERED, reply)
    if not text:
        return Auth(mechanism, None)
    initial = b"" if text == "=" else decode_base64(text)
    if initial is None:
        return Auth(mechanism, None, Problem.BAD_BASE64, order.BAD_BASE64)
    return Auth(mechanism, initial)


def _bdat(_session: Session, argument: str) -> Data:
    del argument  # the engine reads it: it needs the size also where BDAT is refused
    return Data(is_chunking=True)


_NOOP, _DATA = Noop(), Data()
_EHLO = Verb("EHLO", lambda s, a: _helo(s, a, is_esmtp=True, word="EHLO"), allowance="HELO")
_HELO = Verb("HELO", lambda s, a: _helo(s, a, is_esmtp=False, word="HELO"), allowance="HELO")
_LHLO = Verb("LHLO", lambda s, a: _helo(s, a, is_esmtp=True, word="LHLO"), allowance="HELO")

_SHARED = (
    Verb("MAIL", _mail, is_last=False, is_nonmail=False, word="FROM:"),
    Verb("RCPT", _rcpt, is_last=False, is_nonmail=False, word="TO:"),
    Verb("DATA", _bare(_DATA), is_nonmail=False),
    Verb("BDAT", _bdat, is_last=False, is_nonmail=False),
    Verb("RSET", _bare(Rset()), is_last=False, allowance="RSET"),
    Verb("QUIT", _bare(Quit()), is_nonmail=False),
    Verb("NOOP", lambda _session, _argument: _NOOP),
    Verb("HELP", lambda _session, argument: Help(argument)),
    Verb("VRFY", lambda _session, argument: Vrfy(argument)),
    Verb("EXPN", lambda _session, argument: Expn(argument)),
    Verb("ETRN", lambda _session, argument: Etrn(argument)),
    Verb("ATRN", _atrn),
    Verb("WELLKNOWN", lambda _session, argument: WellKnown(argument)),
    Verb("STARTTLS", _start_tls, allowance="STARTTLS"),
    Verb("AUTH", _auth, allowance="AUTH"),
)

SMTP_VERBS: dict[str, Verb] = {verb.name: verb for verb in (_HELO, _EHLO, *_SHARED)}
LMTP_VERBS: dict[str, Verb] = {verb.name: verb for verb in (_LHLO, *_SHARED)}
