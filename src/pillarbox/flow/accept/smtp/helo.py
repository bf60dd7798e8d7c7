"""HELO, EHLO and LHLO: who is there, and what we offer (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

import msgspec

from pillarbox.flow.accept.rejection import reply_to
from pillarbox.flow.accept.session import Session, verb
from pillarbox.flow.check.verdict import Accept, Drop
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Helo


@verb(Helo)
async def handle(session: Session, event: Helo) -> None:
    session.forget_transaction()
    session.update_origin(helo=event.name, protocol=protocol_name(session, is_esmtp=event.is_esmtp))
    scope = session.new_scope()
    verdict = await session.check("helo", scope)
    if not isinstance(verdict, Accept):
        session.reject("EHLO or HELO", verdict.reason)
        session.reply(reply_to(verdict, Reply(250, "OK")), close=isinstance(verdict, Drop))
        return
    policy = session.policy
    offer = policy.engine.offer
    if event.is_esmtp:
        offer = msgspec.structs.replace(
            offer,
            starttls=policy.tls_available
            and not session.engine.is_tls
            and await _includes(policy.tls_hosts, session, scope),
            auth=await _mechanisms(session, scope),
        )
    greeting = verdict.text or f"{policy.primary_hostname} Hello {event.name} [{session.origin.host_address}]"
    session.engine.ehlo_reply(greeting, offer)


def protocol_name(session: Session, *, is_esmtp: bool) -> str:
    """RFC 3848: `smtp`, `esmtp`, `esmtps`, `esmtpa`, `esmtpsa`, `lmtp` …"""
    base = "lmtp" if session.policy.engine.lmtp else "esmtp" if is_esmtp else "smtp"
    tls = "s" if session.origin.tls_cipher else ""
    return f"{base}{tls}{'a' if session.origin.authenticator else ''}"


async def _mechanisms(session: Session, scope: Scope) -> tuple[str, ...]:
    policy = session.policy
    if not policy.authenticators or session.origin.authenticator:
        return ()
    if not await _includes(policy.auth_hosts, session, scope):
        return ()
    has_binding = bool(session.origin.tls_cipher)
    return tuple(
        [
            driver.mechanism
            for driver in policy.authenticators
            if await driver.is_offered(session.origin, scope, has_channel_binding=has_binding)
        ]
    )


async def _includes(hosts: HostList | None, session: Session, scope: Scope) -> bool:
    if hosts is None:
        return True
    subject = HostSubject(session.origin.host_address, lambda: session.origin.host_name or None)
    if hosts.is_pure:
        return hosts.matches_now(subject, scope)
    return await hosts.matches(subject, scope)
