"""The first moments of a connection: who it is, whether it may stay, and our banner (Exim 14, 44.1).

Where TLS begins with the connection it does so behind the ACL: who may not stay gets no handshake (Exim 44.2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.active_hostname import active_hostname, failure
from pillarbox.flow.accept.crowding import refusal
from pillarbox.flow.accept.habits import take_up
from pillarbox.flow.accept.ident import ask_ident
from pillarbox.flow.accept.listening import AT_FIRST, tell_lists
from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.accept.naming import look_up_name
from pillarbox.flow.accept.parting import CUSTOMER
from pillarbox.flow.accept.proxying import hear_proxy
from pillarbox.flow.accept.refusing import log_rejection, refuse
from pillarbox.flow.accept.rejection import reply_to
from pillarbox.flow.accept.securing import log_in_by_certificate, secure
from pillarbox.flow.accept.slowing import Brake
from pillarbox.flow.check.verdict import Accept, Verdict
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.match.local_host import LocalHost
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import connection

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

NAMELESS = Reply(421, "Local configuration error; please try again later.", "4.3.5")
UNWELCOME = Reply(554, "SMTP service not available", "5.3.2")


async def welcome(session: Session) -> None:
    policy, engine = session.policy, session.engine
    await tell_lists(session, "hosts_connection_nolog")
    if session.services.log_style.shows("smtp_connection"):
        hosts = policy.habits.nolog_hosts
        session.is_logged = hosts is None or not await is_surely_in(session, hosts)
        if session.is_logged:
            session.services.journal.main(_beginning(session))
    if policy.proxies is not None:
        await hear_proxy(session, policy.proxies)
    await tell_lists(session, "hosts_proxy", "host_lookup")
    if policy.host_lookup is not None and await is_surely_in(session, policy.host_lookup):
        await look_up_name(session)
    await tell_lists(session, "host_reject_connection")
    if policy.host_reject_connection is not None and await is_surely_in(
        session, policy.host_reject_connection
    ):
        log_rejection(session, f"refused connection from {session.who()} (host_reject_connection)")
        engine.greet(UNWELCOME)
        return
    await tell_lists(session, *AT_FIRST)
    if policy.ident is not None:
        await ask_ident(session, policy.ident)
    if policy.habits.active_hostname is not None and not await _take_name(session):
        engine.greet(NAMELESS)
        return
    if policy.reserve is not None and (full := await refusal(session, policy.reserve)) is not None:
        engine.greet(full)
        return
    if policy.slowed_hosts is not None and await is_surely_in(session, policy.slowed_hosts):
        clock = session.services.clock
        session.mail_brake = Brake(policy.mail_pace, clock) if policy.mail_pace else None
        session.rcpt_brake = Brake(policy.rcpt_pace, clock) if policy.rcpt_pace else None
    if not policy.habits.are_usual:
        await take_up(session)
    scope = session.new_scope()
    verdict = await run_acl(session, "connect", scope)
    if isinstance(verdict, Accept):
        await tell_lists(session, "pipelining_connect_advertise_hosts")
        if session.begins_with_tls:
            await secure(session)
            await log_in_by_certificate(session)
            scope = session.new_scope()
        if session.stream.pending():
            engine.receive(await session.stream.read(session.receive_timeout))
        banner = Reply(220, await policy.banner.expand(scope))
        engine.greet(reply_to(verdict, banner) if verdict.text else banner)
        return
    _turn_away(session, verdict)


def _turn_away(session: Session, verdict: Verdict) -> None:
    """Where TLS would have begun now, without a word."""
    assert not isinstance(verdict, Accept)
    if not session.begins_with_tls:
        refuse(session, 'connection in "connect" ACL', verdict, is_greeting=True)
        return
    why = (verdict.reason.log or verdict.reason.peer).partition("\n")[0]
    log_rejection(session, f"{session.described()} dropped by 'connect' ACL{f': {why}' if why else ''}")
    session.engine.greet(UNWELCOME)


def _beginning(session: Session) -> str:
    name = connection(session.origin, session.services.log_style)
    if session.is_customer:
        return f"SMTP connection{name} from [{session.origin.host_address}]{CUSTOMER}"
    if session.connections:
        count = f"(TCP/IP connection count = {session.connections})"
        return f"SMTP connection from {session.connection_name()}{name} {count}"
    return f"SMTP connection{name} from {session.connection_name()}"


async def _take_name(session: Session) -> bool:
    """`smtp_active_hostname`; whether that could be found out."""
    template = session.policy.habits.active_hostname
    assert template is not None
    try:
        name = await active_hostname(template, session.new_scope())
    except (ExpansionDeferred, ExpansionFailed) as error:
        session.services.journal.panic(failure(template, error))
        return False
    if name:
        session.hostname = session.live.active_hostname = name
        known = session.services.expansion.facts.get(LocalHost)
        if isinstance(known, LocalHost):
            session.own_name = msgspec.structs.replace(known, active_hostname=name)
    return True
