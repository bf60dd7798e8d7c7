"""AUTH= of MAIL: whether we believe what a client says of who has vouched for the message (RFC 4954 §5; Exim 33.2).

`acl_smtp_mailauth` decides where it is set, else whether the client has logged in; the authenticator's `server_mail_auth_condition` has the last
word. What is believed goes into the envelope, and on to hosts at which we log in; what is not is passed over, and the log says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.authenticators.authenticator import says_yes
from pillarbox.flow.accept.refusing import refuse
from pillarbox.flow.check.verdict import Accept, Defer, Discard, Drop
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.mail.reply import Reason
from pillarbox.wire.exim.log_line import host_and_ident, printable

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

_WRITTEN = re.compile(r" AUTH=(\S+)", re.IGNORECASE)
BY_CONDITION = "server_mail_auth_condition failed"


async def believed(session: Session, claimed: str) -> str | None:
    """What becomes `$authenticated_sender`; empty: nothing. None: MAIL has been refused for now, and answered."""
    facts = MessageFacts()
    facts.variables = dict(session.variables)
    facts.auth_sender = claimed
    if "mailauth" in session.policy.acls:
        verdict = await run_acl(session, "mailauth", session.new_scope(facts), None)
        if isinstance(verdict, Drop | Discard):
            verb = "drop" if isinstance(verdict, Drop) else "discard"
            session.services.journal.panic(f'"{verb}" verb not allowed in MAILAUTH ACL')
            verdict = Defer(Reason(verdict.reason.log, ""))
        if isinstance(verdict, Defer):
            refuse(session, f"MAILAUTH {session.engine.line[10:].strip()}", verdict)
            return None
        why = "" if isinstance(verdict, Accept) else "rejected by ACL"
    else:
        why = "" if session.origin.authenticator else "client not authenticated"
    why = why or await _forbidden_by_condition(session, facts)
    if why:
        session.services.journal.main(
            f"ignoring AUTH={printable(_as_written(session, claimed))} from {host_and_ident(session.origin, session.services.log_style)} ({why})"
        )
        return ""
    return claimed


def _as_written(session: Session, claimed: str) -> str:
    """In xtext (RFC 4954 §5)."""
    found = _WRITTEN.search(session.engine.line)
    return found[1] if found else claimed


async def _forbidden_by_condition(session: Session, facts: MessageFacts) -> str:
    """Why not; empty: no authenticator is against it."""
    name = session.origin.authenticator
    driver = next((one for one in session.policy.authenticators if one.name == name), None) if name else None
    condition = driver.server_mail_auth_condition if driver is not None else None
    if condition is None:
        return ""
    known = session.origin.authenticated_id
    why_not = f'{BY_CONDITION}: authenticated ID="{known}"' if known else BY_CONDITION
    try:
        if says_yes(await condition.expand(session.new_scope(facts))):
            return ""
    except ForcedFailure:
        return why_not
    except (ExpansionFailed, ExpansionDeferred) as error:
        session.services.journal.panic(
            f'failed to expand condition "{condition.source}" for {name} authenticator: {error}'
        )
    return why_not
