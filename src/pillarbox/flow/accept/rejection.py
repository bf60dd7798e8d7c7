"""Verdicts as replies and log lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import assert_never

from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop, Verdict
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.header_lines import shown_headers
from pillarbox.wire.exim.log_style import LogStyle

LOGGED_HEADERS = 8192
"""Bytes of a refused message's headers that go to rejectlog."""
LOGGED_RECIPIENTS = 5
SHORTEST_LINE, LONGEST_LINE = 36, 75
"""Characters of the pieces of a divided reply."""
DENIED = "Administrative prohibition"
DEFERRED = "Temporary local problem - please try later"
_BREAK = re.compile(r"\n\s+")
_CODES = re.compile(r"(\d\d\d)\s(?:(\d\.\d\d?\d?\.\d\d?\d?)\s)?")
_ENHANCED = re.compile(r"([245]\.\d\d?\d?\.\d\d?\d?)\s")


def reply_to(
    verdict: Verdict, accepted: Reply, *, code: int = 550, enhanced: str = "5.7.1", any_code: bool = False
) -> Reply:
    """The reply for a verdict; `accepted` when it is favourable (a configured text replaces its own). `any_code`: see `with_own_code`."""
    match verdict:
        case Accept(text=text):
            return (
                with_own_code(Reply(accepted.code, in_lines(text), accepted.enhanced)) if text else accepted
            )
        case Discard(reason=reason):
            text = tidied(reason.peer)
            return with_own_code(Reply(accepted.code, text, accepted.enhanced)) if text else accepted
        case Deny(reason=reason) | Drop(reason=reason):
            return with_own_code(Reply(code, in_lines(reason.peer) or DENIED, enhanced), any_code=any_code)
        case Defer(reason=reason, is_mistake=is_mistake):
            text = in_lines(reason.peer) or DEFERRED
            if is_mistake and reason.peer:
                text = f"{codes_of(text)}{DEFERRED}"
            return with_own_code(Reply(451, text, "4.7.1"), any_code=any_code)
        case _ as unreachable:
            assert_never(unreachable)


def tidied(text: str) -> str:
    """A text of a configuration as Exim says it: no white space in front of its further lines, and no empty ones between them."""
    if "\n" not in text:
        return text
    return _BREAK.sub("\n", text[:-1] if text[-1] == "\n" and not text[-2:-1].isspace() else text)


def in_lines(text: str) -> str:
    """The same with its long lines divided: behind a colon, else at a blank, as near to `LONGEST_LINE` as may be."""
    text = tidied(text)
    if len(text) <= LONGEST_LINE:
        return text
    return "\n".join(piece for line in text.split("\n") for piece in _divided(line))


def _divided(line: str) -> Iterator[str]:
    while len(line) > LONGEST_LINE:
        cut = line.rfind(": ", SHORTEST_LINE, LONGEST_LINE + 1) + 1
        if not cut:
            cut = line.rfind(" ", SHORTEST_LINE, LONGEST_LINE + 1)
            cut = cut if cut >= 0 else line.find(" ", LONGEST_LINE)
        if cut < 0:
            break
        yield line[:cut]
        line = line[cut:].lstrip(" ")
    yield line


def with_own_code(reply: Reply, *, any_code: bool = False) -> Reply:
    """A message may begin with codes of its own (Exim 44.12): `550 5.1.1 no such user`. Codes of another class are taken off, unless
    `any_code` will do, as for VRFY."""
    own_class = str(reply.code)[0]
    found = _CODES.match(reply.text)
    if found is None:
        only = _ENHANCED.match(reply.text)
        if only is None or only[1][0] != own_class:
            return reply
        return Reply(reply.code, reply.text[only.end() :], only[1], is_own=True)
    text = reply.text[found.end() :]
    if not any_code and misfit(reply.text, reply.code):
        return Reply(reply.code, text, reply.enhanced)
    enhanced = found[2] or ("" if any_code else reply.enhanced)
    if enhanced[:1] != found[1][0]:
        return Reply(int(found[1]), text, reply.enhanced)
    return Reply(int(found[1]), text, enhanced, is_own=bool(found[2]))


def without_code(text: str, code: int) -> str:
    """For a reply that has a code already; an enhanced one stays, if it fits."""
    found = _CODES.match(text)
    if found is None:
        return text
    return text[found.end() :] if misfit(text, code) else text[4:]


def codes_of(text: str) -> str:
    """Those that it begins with, and the blank behind them."""
    found = _CODES.match(text) or _ENHANCED.match(text)
    return found[0] if found is not None else ""


def misfit(text: str, code: int) -> str:
    """What is wrong with the codes of a configured text, for the panic log; empty: nothing."""
    found = _CODES.match(text)
    if found is None or (found[1][0] == str(code)[0] and (not found[2] or found[2][0] == found[1][0])):
        return ""
    return f'configured error code starts with incorrect digit (expected {str(code)[0]}) in "{text}"'


def fitting(text: str, code: int) -> str:
    """The text with the usual code instead of one that does not fit."""
    found = _CODES.match(text)
    return f"{code} {text[found.end() :]}" if found is not None and misfit(text, code) else text


def rejected_message(
    style: LogStyle, sender: str | None, recipients: Sequence[Recipient], headers: bytes
) -> str:
    """Envelope and headers of a refused message, for rejectlog; empty where `log_selector` is without `rejected_header`."""
    if not style.shows("rejected_header"):
        return ""
    shown = [f"<{each.address}>" for each in recipients[:LOGGED_RECIPIENTS]]
    if len(recipients) > LOGGED_RECIPIENTS:
        shown.append("...")
    envelope = [
        f"Envelope-from: <{sender or ''}>",
        f"Envelope-to: {f'{chr(10)}    '.join(shown)}",
    ]
    return "\n".join([*(envelope if shown else ()), shown_headers(headers[:LOGGED_HEADERS])])
