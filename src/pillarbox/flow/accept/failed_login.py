"""A login that broke off: the client went away, said `*`, or what it said was no AUTH."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.flow.accept.events import tell
from pillarbox.flow.accept.refusing import log_rejection
from pillarbox.mail.reply import Reply

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session


async def log_failed_login(session: Session, line: str, reply: Reply) -> None:
    """`line`: the AUTH command, when it is the one that is wrong."""
    name = session.exchange_name
    mechanism = line.split()[1].upper() if line[:5].upper() == "AUTH " and len(line.split()) > 1 else ""
    for driver in session.policy.authenticators if mechanism else ():
        if driver.mechanism == mechanism:
            name = driver.name
    session.exchange = None
    said = f"{reply.code} {reply.text}"
    told = await tell(session, "auth:fail", said)
    log_rejection(session, told or f"{name} authenticator failed for {session.described()}: {said}")
