"""MAIL and RCPT with their parameters → events (RFC 5321 §4.1.1.2–3, §4.1.1.11).

A parameter of an extension that was not offered is refused with 555, as is an unknown one.
"""

from __future__ import annotations

import re

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Mail, Problem, Rcpt
from pillarbox.wire.smtp.extensions import Extensions
from pillarbox.wire.smtp.grammar import (
    BadSyntax,
    decode_xtext,
    is_orcpt,
    is_xtext,
    parse_mailbox,
    parse_parameters,
    split_path,
)
from pillarbox.wire.smtp.order import NON_ASCII_COMMAND, TOO_BIG

_SIZE = re.compile(r"[0-9]{1,20}")
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
_SENDER_FIRST = Reply(501, "MAIL must have an address operand", "5.5.4")
_RECIPIENT_FIRST = Reply(501, "RCPT must have an address operand", "5.5.4")
_SENDER_CODE, _RECIPIENT_CODE = "5.1.7", "5.1.3"


class Refused(Exception):
    """The command cannot be taken; the reply says why."""

    def __init__(self, problem: Problem, reply: Reply) -> None:
        super().__init__(str(reply))
        self.problem = problem
        self.reply = reply


def parse_mail(argument: str, offer: Extensions) -> Mail:
    """`FROM:<a@b> SIZE=5` → Mail. Raises Refused."""
    path, parameters = _parse(argument, "FROM:", _SENDER_FIRST, _SENDER_CODE)
    if not parameters:
        return Mail(_mailbox(path, _SENDER_CODE, utf8=False) if path else None)
    utf8 = _flag(parameters, "SMTPUTF8", is_offered=offer.smtputf8)
    sender = _mailbox(path, _SENDER_CODE, utf8=utf8) if path else None
    size = _size(_take(parameters, "SIZE", is_offered=offer.size is not None), offer.size)
    body = _keyword(parameters, "BODY", ("7BIT", "8BITMIME"), is_offered=offer.eightbitmime)
    ret = _keyword(parameters, "RET", ("FULL", "HDRS"), is_offered=offer.dsn)
    envid = _take(parameters, "ENVID", is_offered=offer.dsn) or ""
    auth = _take(parameters, "AUTH", is_offered=bool(offer.auth))
    if parameters:
        raise _unknown(next(iter(parameters)))
    if envid and not is_xtext(envid):
        raise _invalid("ENVID")
    if auth is not None and auth != "<>":
        if not is_xtext(auth):
            raise _invalid("AUTH")
        auth = decode_xtext(auth)
    return Mail(sender, size, body, utf8, ret, envid, auth)


def parse_rcpt(argument: str, offer: Extensions, *, utf8: bool) -> Rcpt:
    """`TO:<a@b> NOTIFY=NEVER` → Rcpt. `utf8`: the transaction is one with SMTPUTF8. Raises Refused."""
    path, parameters = _parse(argument, "TO:", _RECIPIENT_FIRST, _RECIPIENT_CODE)
    address = _mailbox(path, _RECIPIENT_CODE, utf8=utf8)
    if not parameters:
        return Rcpt(address)
    notify = _notify(_take(parameters, "NOTIFY", is_offered=offer.dsn))
    orcpt = _take(parameters, "ORCPT", is_offered=offer.dsn) or ""
    if parameters:
        raise _unknown(next(iter(parameters)))
    if orcpt and not (is_orcpt(orcpt) and (utf8 or orcpt.isascii())):
        raise _invalid("ORCPT")
    return Rcpt(address, notify, orcpt)


def _parse(argument: str, word: str, missing: Reply, code: str) -> tuple[str, dict[str, str | None]]:
    if argument[: len(word)].upper() != word or len(argument) == len(word):
        raise Refused(Problem.SYNTAX, missing)
    try:
        path, rest = split_path(argument[len(word) :])
    except BadSyntax as error:
        raise Refused(Problem.SYNTAX, Reply(501, f"{argument[len(word) :].strip()}: {error}", code)) from None
    if not rest:
        return path, {}
    try:
        return path, parse_parameters(rest)
    except BadSyntax as error:
        raise Refused(Problem.SYNTAX, Reply(501, str(error), "5.5.4")) from None


def _mailbox(path: str, code: str, *, utf8: bool) -> str:
    try:
        return parse_mailbox(path, utf8=utf8)
    except BadSyntax as error:
        if not utf8 and not path.isascii():
            raise Refused(Problem.NON_ASCII, NON_ASCII_COMMAND) from None
        raise Refused(Problem.SYNTAX, Reply(501, f"<{path}>: {error}", code)) from None


def _take(parameters: dict[str, str | None], keyword: str, *, is_offered: bool) -> str | None:
    """Remove and return the value of one parameter; None: not given."""
    if keyword not in parameters:
        return None
    if not is_offered:
        raise _unknown(keyword)
    value = parameters.pop(keyword)
    if value is None:
        raise _invalid(keyword)
    return value


def _flag(parameters: dict[str, str | None], keyword: str, *, is_offered: bool) -> bool:
    if keyword not in parameters:
        return False
    if not is_offered:
        raise _unknown(keyword)
    if parameters.pop(keyword) is not None:
        raise _invalid(keyword)
    return True


def _keyword(
    parameters: dict[str, str | None], keyword: str, values: tuple[str, ...], *, is_offered: bool
) -> str:
    value = _take(parameters, keyword, is_offered=is_offered)
    if value is None:
        return ""
    if value.upper() not in values:
        raise _invalid(keyword)
    return value.upper()


def _size(value: str | None, limit: int | None) -> int:
    if value is None:
        return 0
    if not _SIZE.fullmatch(value):
        raise _invalid("SIZE")
    if limit and int(value) > limit:
        raise Refused(Problem.TOO_BIG, TOO_BIG)
    return int(value)


def _notify(value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    words = tuple(value.upper().split(","))
    if words != ("NEVER",) and (len(set(words)) != len(words) or not _NOTIFY.issuperset(words)):
        raise _invalid("NOTIFY")
    return words


def _invalid(keyword: str) -> Refused:
    return Refused(Problem.SYNTAX, Reply(501, f"invalid data for {keyword}", "5.5.4"))


def _unknown(keyword: str) -> Refused:
    return Refused(Problem.SYNTAX, Reply(555, f"{keyword} parameter not recognized", "5.5.4"))
