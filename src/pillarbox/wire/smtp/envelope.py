"""MAIL and RCPT with their parameters → events (RFC 5321 §4.1.1.2–3, §4.1.1.11).

Parameters are looked for from the end, as Exim does it: the first word that is none belongs to the path, which is then malformed. Those of
extensions that a client uses unasked (AUTH=, RET=, ENVID=) are read and left out of account, and an empty value is none.
"""

from __future__ import annotations

import re

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Mail, Problem, Rcpt
from pillarbox.wire.smtp.extensions import Extensions
from pillarbox.wire.smtp.grammar import (
    BadSyntax,
    ReadPath,
    decode_xtext,
    is_word,
    is_xtext,
)
from pillarbox.wire.smtp.order import NON_ASCII_COMMAND, TOO_BIG

_SIZE = re.compile(r"-?[0-9]+")
_HUGE = 2**63
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
_OF_MAIL = frozenset({"SIZE", "BODY", "AUTH", "RET", "ENVID", "PRDR", "SMTPUTF8"})
_OF_RCPT = frozenset({"NOTIFY", "ORCPT"})
_ONCE = frozenset({"RET", "ENVID", "NOTIFY", "ORCPT"})
_FLAGS = frozenset({"PRDR", "SMTPUTF8"})
_NONE: frozenset[str] = frozenset()
_SENDER_CODE, _RECIPIENT_CODE = "5.1.7", "5.1.3"
_BAD_NOTIFY = Reply(501, "Invalid value for NOTIFY parameter", "5.5.4")
_BAD_RET = Reply(501, "Value for RET is invalid", "5.5.4")


class Refused(Exception):
    """The command cannot be taken; the reply says why."""

    def __init__(self, problem: Problem, reply: Reply, detail: str = "") -> None:
        """`detail`: what is wrong, for the log, where the reply says more than that."""
        super().__init__(str(reply))
        self.problem = problem
        self.reply = reply
        self.detail = detail


def parse_mail(argument: str, offer: Extensions, read: ReadPath, *, is_esmtp: bool = True) -> Mail:
    """`FROM:<a@b> SIZE=5` → Mail. Raises Refused."""
    text = _behind(argument, "FROM:")
    known = _OF_MAIL if is_esmtp else _NONE
    path, given = _take_parameters(text, known)
    utf8 = "SMTPUTF8" in given
    if utf8 and not offer.smtputf8:
        raise Refused(Problem.SYNTAX, Reply(501, "SMTPUTF8 used when not advertised", "5.5.4"))
    sender = _read(read, path, _SENDER_CODE, utf8=utf8)
    written = _odd(path, sender)
    if not given:
        return Mail(sender or None, written=written)
    return Mail(
        sender or None,
        _size(given.get("SIZE"), offer.size),
        _body(given, is_offered=offer.eightbitmime),
        utf8,
        _ret(given, is_offered=offer.dsn),
        _envid(given.get("ENVID")) if offer.dsn else "",
        _auth(given.get("AUTH")),
        "PRDR" in given and offer.prdr,
        written,
    )


def parse_rcpt(argument: str, offer: Extensions, read: ReadPath, *, utf8: bool) -> Rcpt:
    """`TO:<a@b> NOTIFY=NEVER` → Rcpt. `utf8`: the transaction is one with SMTPUTF8. Raises Refused."""
    path, given = _take_parameters(_behind(argument, "TO:"), _OF_RCPT if offer.dsn else _NONE)
    address = _read(read, path, _RECIPIENT_CODE, utf8=utf8)
    if not address:
        detail = "missing or malformed local part"
        raise Refused(Problem.SYNTAX, Reply(501, f"{path}: {detail}", _RECIPIENT_CODE), detail)
    written = _odd(path, address)
    if not given:
        return Rcpt(address, written=written)
    orcpt = given.get("ORCPT") or ""
    if orcpt and not (is_word(orcpt) and (utf8 or orcpt.isascii())):
        raise _invalid("ORCPT")
    return Rcpt(address, _notify(given) if "NOTIFY" in given else (), orcpt, written=written)


def _odd(path: str, address: str) -> str:
    """The path, unless it is nothing but the address in its brackets."""
    return "" if len(path) == len(address) + 2 and path[0] == "<" else path


def _behind(argument: str, word: str) -> str:
    """The path and what follows."""
    text = argument[len(word) :].strip(" \t")
    if not text:
        verb, problem = ("MAIL", Problem.SEQUENCE) if word == "FROM:" else ("RCPT", Problem.SYNTAX)  # Exim's
        raise Refused(problem, Reply(501, f"{verb} must have an address operand", "5.5.4"))
    return text


def _take_parameters(text: str, known: frozenset[str]) -> tuple[str, dict[str, str | None]]:
    """The path, and keyword → value (None: it has none)."""
    given: dict[str, str | None] = {}
    while known:
        rest = text.rstrip(" \t")
        if rest.find(" ") < 0 and rest.find("\t") < 0:
            break
        cut = max(rest.rfind(" "), rest.rfind("\t"))
        word = rest[cut + 1 :]
        name, equals, value = word.rpartition("=")
        keyword = (name if equals else value).upper()
        if keyword not in known or (equals and keyword in _FLAGS):
            break
        if keyword in given and keyword in _ONCE:
            raise Refused(Problem.SYNTAX, Reply(501, f"{keyword} can be specified once only", "5.5.4"))
        given[keyword] = value if equals else None
        text = rest[:cut].rstrip(" \t") if rest[:cut].rstrip(" \t").endswith(">") else rest[:cut]
        if not text.strip(" \t"):
            break
    return text, given


def _read(read: ReadPath, path: str, code: str, *, utf8: bool) -> str:
    try:
        return read(path, utf8)
    except BadSyntax as error:
        if not utf8 and not path.isascii():
            raise Refused(Problem.NON_ASCII, NON_ASCII_COMMAND) from None
        raise Refused(Problem.SYNTAX, Reply(501, f"{path}: {error}", code), str(error)) from None


def _size(value: str | None, limit: int | None) -> int:
    """What is no number does not count, as in Exim; a negative one or one of twenty digits is more than anybody takes."""
    if not value or not _SIZE.fullmatch(value):
        return 0
    size = int(value) if value[0] != "-" and len(value) < 19 else _HUGE
    if limit and size > limit:
        raise Refused(Problem.TOO_BIG, TOO_BIG)
    return size


def _body(given: dict[str, str | None], *, is_offered: bool) -> str:
    value = given.get("BODY", "")
    if value == "" or not is_offered:
        return ""
    if value is None or value.upper() not in ("7BIT", "8BITMIME"):
        raise _invalid("BODY")
    return value.upper()


def _ret(given: dict[str, str | None], *, is_offered: bool) -> str:
    value = given.get("RET", "")
    if value == "" or not is_offered:
        return ""
    if value is None or value.upper() not in ("FULL", "HDRS"):
        raise Refused(Problem.SYNTAX, _BAD_RET)
    return value.upper()


def _envid(value: str | None) -> str:
    if value and not (value.isascii() and is_word(value)):
        raise _invalid("ENVID")
    return value or ""


def _auth(value: str | None) -> str | None:
    if not value or value == "<>":
        return value
    if not is_xtext(value):
        raise _invalid("AUTH")
    return decode_xtext(value)


def _notify(given: dict[str, str | None]) -> tuple[str, ...]:
    value = given["NOTIFY"]
    if value == "":
        return ()
    words = tuple(dict.fromkeys(value.upper().split(","))) if value else ()
    if words != ("NEVER",) and (not words or not _NOTIFY.issuperset(words)):
        raise Refused(Problem.SYNTAX, _BAD_NOTIFY)
    return words


def _invalid(keyword: str) -> Refused:
    return Refused(Problem.SYNTAX, Reply(501, f"invalid data for {keyword}", "5.5.4"))
