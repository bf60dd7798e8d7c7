"""STARTTLS, and whether to believe the host that is at the other end of it (RFC 3207, RFC 7672; Exim 43.8, 44, 61).

What OpenSSL looks at during the handshake is in `TlsWish`. Behind it come those who want to see the certificates: the event `tls:cert`,
and DANE (`believe`).
"""

from __future__ import annotations

from msgspec.structs import replace

from pillarbox.flow.facets.session import TlsOutFacts
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import Lost, Trouble, host_refusal
from pillarbox.flow.transport.login import Outbound
from pillarbox.ports.network import TlsWish
from pillarbox.wire.smtp.events import StartTls


async def start_tls(session: Session, manners: Manners, habits: Habits) -> Trouble | bool:
    """STARTTLS when it is offered; whether there is TLS now. Raises Lost."""
    is_required = manners.tls == "require"
    if not session.engine.extensions.starttls:
        text = "a TLS session is required, but the server did not offer TLS support"
        return Trouble("host", text, error="tls_required") if is_required else False
    [answer] = await session.ask(StartTls())
    if answer.reply.code != 220:
        if answer.reply.is_transient and session.dane is not None:
            return host_refusal("STARTTLS", answer.reply)
        if is_required:
            text = "a TLS session is required, but an attempt to start TLS failed"
            return Trouble("host", text, answer.reply, error="tls_required")
        if answer.reply.is_transient and not manners.clear_after_tls_failure:
            return host_refusal("STARTTLS", answer.reply)
        return False
    await session.start_tls(wish_for(session.target, manners, habits, has_dane=bool(session.dane)))
    session.startup += "s"
    await believe(session, manners, habits)
    return True


def wish_for(target: Target, manners: Manners, habits: Habits, *, has_dane: bool = False) -> TlsWish:
    """For the handshake: who wants to see bad certificates too must have them from it first."""
    wish = manners.wish(target)
    if manners.may_ask_for_proof and wish.proof == "no" and habits.events is not None and not has_dane:
        wish = replace(wish, proof="ask")
    if habits.events is not None and wish.verify == "require" and not wish.crl:
        return replace(wish, verify="try")
    return wish


async def believe(session: Session, manners: Manners, habits: Habits) -> None:
    """Raises Lost where the certificates are not good enough for somebody."""
    if habits.events is not None and session.dane:
        await _show_certificates(session, habits)
    if session.dane:
        from pillarbox.wire.dane import vouching_usage  # loads much, and is seldom needed

        names = [session.target.name]
        session.tlsa_usage = vouching_usage(session.dane, session.certificates, names)
        if not session.tlsa_usage:
            raise Lost("tls", "TLS session: (certificate verification failed)")
    if habits.events is not None and manners.tls_wish.verify != "no":
        await _show_certificates(session, habits)
        if manners.tls_wish.verify == "require" and not session.is_verified:
            raise Lost("tls", "TLS session: (certificate verify failed)")


async def _show_certificates(session: Session, habits: Habits) -> None:
    """Of the chain as the host has sent it, its own first, as with GnuTLS. Raises Lost."""
    assert habits.events is not None
    at = session.facets(habits.events.scope)
    for depth, certificate in enumerate(session.certificates):
        at[Outbound], at[TlsOutFacts] = session.target.outbound(), TlsOutFacts(peercert=certificate)
        said = await habits.events.tell("tls:cert", str(depth), at=at)
        if said:
            if habits.note is not None:
                habits.note(f"SSL verify denied by event-action: depth={depth}: {said}")
            raise Lost("tls", "TLS session: (certificate verify failed)")
