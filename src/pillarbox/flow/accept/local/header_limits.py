"""How long the header of a local program's message may be: `header_maxsize`, `header_line_maxsize` (Exim 14.23)."""

from __future__ import annotations

from pillarbox.flow.accept.local.refused import Refused
from pillarbox.flow.accept.policy import AcceptPolicy
from pillarbox.mail import header
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.ports.journal import Journal


def check_header(headers: bytes, policy: AcceptPolicy, login: str, journal: Journal) -> None:
    """Raises Refused, and the log says why."""
    limit = policy.engine.headers_max
    if len(headers) > limit:
        raise _overlong("", "ridiculously long message header", limit, headers[:limit], login, journal)
    limit = policy.header_line_max
    before = 0
    for field in header.parse_headers(headers) if limit else ():
        before += len(field.raw)
        if len(field.raw) > limit:
            part = headers[: before - 1]
            raise _overlong(" line", "overlong message header line", limit, part, login, journal)


def _overlong(what: str, words: str, limit: int, part: bytes, login: str, journal: Journal) -> Refused:
    """`part`: what of the header comes back."""
    journal.main(f"{words} received from {login} (more than {limit} characters): message abandoned")
    section = what or " section"
    return Refused(
        f"exim: message header{what} longer than {limit} characters received: message not accepted",
        kind="header_line" if what else "header_section",
        message=Message(part, MemoryBody(b"")),
        cause=f"excessively long message header{section} read (more than {limit} characters)",
    )
