"""ATRN: the client wants to be the server, and mail for its domains (RFC 2645; Exim 49.2.6).

The ACL says whose mail that is (`atrn_domains`). Behind the 250 nothing is said in this session any more.
"""

from __future__ import annotations

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.refusing import refuse
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.turning import Customer, may_turn
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.acl.state import CustomerDomains
from pillarbox.flow.check.verdict import Accept
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import printable
from pillarbox.wire.smtp.events import Atrn, Problem
from pillarbox.wire.smtp.order import ATRN_IN_TRANSACTION, ATRN_NEEDS_LOGIN, ATRN_NOT_OFFERED

TURNING = Reply(250, "ODMR provider turning line around")
NOBODY = CustomerDomains(frozenset(), "")


@verb(Atrn)
async def handle(session: Session, event: Atrn) -> None:
    engine, services = session.engine, session.services
    connection = session.stream.as_client()
    if connection is None or services.turn is None or not await may_turn(session):
        engine.refuse(Problem.NOT_OFFERED, ATRN_NOT_OFFERED)
        return
    if not session.origin.authenticator:
        engine.refuse(Problem.SEQUENCE, ATRN_NEEDS_LOGIN)
        return
    if session.transaction is not None:
        engine.refuse(Problem.SEQUENCE, ATRN_IN_TRANSACTION)
        return
    if services.log_style.shows("etrn"):
        services.journal.main(f"ATRN '{printable(event.argument)}' received from {session.who()}")
    session.memory.customer = None
    verdict = await run_acl(session, "atrn", session.new_scope())
    if not isinstance(verdict, Accept):
        refuse(session, f"ATRN {event.argument}", verdict, code=450)
        return
    session.reply(TURNING)
    await session.flush()
    engine.close()
    address, port = session.stream.peer_address
    memory = session.memory
    await services.turn(Customer(connection, address, port, memory.customer or NOBODY, memory.queue))
