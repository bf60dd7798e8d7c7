"""NAMESPACE (RFC 9051 §6.3.10): one personal namespace, nobody else's, nothing shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State
from pillarbox.wire.imap.writing import untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Namespace(Command, name="NAMESPACE", states=State.LOGGED_IN):
    async def run(self, session: Session) -> Answer:
        session.send(untagged(b'NAMESPACE (("" "/")) NIL NIL'))
        return self.done()
