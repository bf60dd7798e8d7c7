"""CAPABILITY (RFC 9051 §6.1.1), and what this server can do.

Only what works is advertised. Before login the list is short: how to get in, and what is needed to do so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command
from pillarbox.wire.imap.writing import untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session

_ALWAYS = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE"
_AFTER_LOGIN = (
    "NAMESPACE IDLE UIDPLUS MOVE UNSELECT CHILDREN LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE "
    "ESEARCH SEARCHRES WITHIN CONDSTORE QRESYNC STATUS=SIZE BINARY UTF8=ACCEPT SAVEDATE MULTIAPPEND"
)


def capabilities(session: Session) -> str:
    """The words behind CAPABILITY, by state."""
    if session.account is not None:
        return f"{_ALWAYS} {_AFTER_LOGIN} APPENDLIMIT={session.settings.limits.message}"
    words = [_ALWAYS]
    if not session.connection.tls_cipher and session.settings.can_start_tls:
        words.append("STARTTLS")
    if session.is_confidential:
        has_binding = bool(session.connection.channel_bindings())
        mechanisms = session.services.logins.mechanisms(has_channel_binding=has_binding)
        words.extend(f"AUTH={mechanism}" for mechanism in mechanisms)
    else:
        words.append("LOGINDISABLED")
    return " ".join(words)


def greeting_code(session: Session) -> str:
    """The response code that saves clients from asking."""
    return f"CAPABILITY {capabilities(session)}"


class Capability(Command, name="CAPABILITY"):
    async def run(self, session: Session) -> Answer:
        session.send(untagged(greeting_code(session).encode("ascii")))
        return self.done()
