"""WELLKNOWN: what a client may know of the site, as an ACL picks it (Exim 44.2.8; modelled on RFC 8615).

The file that `control = wellknown` has read goes out as xtext (RFC 3461 §4), in lines that end where the file's do, or are long enough.
"""

from __future__ import annotations

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.accept.refusing import log_rejection, refuse
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.verdict import Accept, Defer
from pillarbox.mail.reply import Reason, Reply
from pillarbox.wire.exim.log_line import printable
from pillarbox.wire.smtp.events import WellKnown

NOT_PERMITTED = Reply(554, "not permitted", "5.7.1")
LINE = 75
"""Characters behind which a line ends."""
_PLAIN = frozenset(range(33, 127)) - frozenset(b"+=")
_CODES = [chr(octet) if octet in _PLAIN else f"+{octet:02X}" for octet in range(256)]


@verb(WellKnown)
async def handle(session: Session, event: WellKnown) -> None:
    what = f"WELLKNOWN {event.argument}".rstrip()
    has_acl = "wellknown" in session.policy.acls
    if not (has_acl and await is_surely_in(session, session.policy.wellknown_hosts)):
        log_rejection(session, f'rejected "{printable(what)}" from {session.origin.helo or "NULL"}')
        session.reply(NOT_PERMITTED)
        return
    session.memory.wellknown = None
    verdict = await run_acl(session, "wellknown", session.new_scope())
    content, session.memory.wellknown = session.memory.wellknown, None
    if not isinstance(verdict, Accept):
        refuse(session, what, verdict)
    elif content is None:
        refuse(session, what, Defer(Reason(verdict.text)))
    else:
        data = content.encode("utf-8", "surrogateescape")
        session.reply(Reply(250, "\n".join([f"SIZE={len(data)}", *in_xtext(data)])))


def in_xtext(data: bytes) -> list[str]:
    """Lines."""
    lines: list[str] = []
    line = ""
    for octet in data:
        line += _CODES[octet]
        if len(line) >= LINE or octet == 10:
            lines.append(line)
            line = ""
    return [*lines, line] if line else lines
