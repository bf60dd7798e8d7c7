"""The customer's side of on-demand relay (RFC 2645; Exim 49.2.8): a provider is asked for our mail, over a connection that we then serve.

Routers and transport say how the provider is reached: what is routed is `_atrn@` with its name.
"""

from __future__ import annotations

from pillarbox.flow.check.callout import Callouts
from pillarbox.flow.facets.session import SessionFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.chain import Chain
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.route.result import Trouble as Unrouted
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.trouble import Lost, Trouble
from pillarbox.flow.transport.smtp_hosts import NoHosts
from pillarbox.flow.transport.transports.smtp import Unfit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.mail.envelope import Recipient
from pillarbox.ports.network import ServedConnection
from pillarbox.wire.smtp.events import Atrn

LOCAL_PART = "_atrn"


class NotReached(Exception):
    """No provider could be asked. `str()` is for the log."""


async def turned_connection(
    chain: Chain, callouts: Callouts, expansion: Services, host: str, domains: str
) -> ServedConnection | None:
    """The connection, on which we are to greet. None: the provider has nothing for us, or does not want to give it. `domains`: divided by
    commas; empty: as the provider thinks. Raises NotReached."""
    facts = SessionFacts(atrn_host=host, atrn_mode="C")
    scope = Scope({SessionFacts: facts}, expansion)
    candidate = Candidate.first(Recipient(f"{LOCAL_PART}@{host}"))
    routed = await chain.route(candidate, "verify", scope)
    for each in routed.history:
        if isinstance(each, Unrouted):
            raise NotReached(each.result.reason.log or f"no router takes {candidate.address}")
    for assignment in routed.assignments:
        if callouts.can_ask(assignment):
            return await _ask(assignment, callouts, scope, domains)
    raise NotReached(f"{candidate.address} is routed to no host")


async def _ask(
    assignment: Assignment, callouts: Callouts, scope: Scope, domains: str
) -> ServedConnection | None:
    transport = callouts.transport_of(assignment)
    assert transport is not None  # can_ask
    here = scope.with_facets({Assignment: assignment, Candidate: assignment.candidate})
    why = "no host"
    try:
        targets, habits = await transport.calling(assignment.hosts, here, callouts.services)
        for target in targets:
            opened = await callouts.open(target, habits)
            if isinstance(opened, Session):
                return await _turn(opened, domains)
            why = f"{target.name} [{target.address}]: {opened.text}"
    except (ExpansionDeferred, ExpansionFailed, NoHosts, Unfit) as error:
        raise NotReached(str(error)) from error
    raise NotReached(why)


async def _turn(session: Session, domains: str) -> ServedConnection | None:
    """Raises NotReached."""
    try:
        [answer] = await session.ask(Atrn(domains))
    except Lost as lost:
        await session.hang_up()
        trouble: Trouble = lost.after(f"ATRN {domains}".rstrip())
        raise NotReached(trouble.text) from lost
    if answer.reply.is_positive:
        return session.turned()
    await session.quit()
    return None
