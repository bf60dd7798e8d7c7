"""HELO, EHLO and LHLO: who is there, and what we offer (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.helo_name import has_its_name, looks_like_ours
from pillarbox.flow.accept.listening import tell_lists
from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.accept.naming import look_up_name
from pillarbox.flow.accept.offering import offer_of
from pillarbox.flow.accept.refusing import log_rejection, refuse
from pillarbox.flow.accept.rejection import without_code
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.verdict import Accept, Verdict
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import printable
from pillarbox.wire.smtp.events import Helo


@verb(Helo)
async def handle(session: Session, event: Helo) -> None:
    await session.forget_transaction()
    session.live.count_rcpts_anew()
    session.memory.warned.clear()
    session.client.helo_is_true = None
    session.client.is_shown = True
    session.update_origin(
        helo=event.name,
        protocol=protocol_name(session, is_esmtp=event.is_esmtp),
        host_name=session.client.name,
    )
    if not await _is_itself(session, event):
        return
    verdict: Verdict = Accept()
    if "helo" in session.policy.acls:
        verdict = await run_acl(session, "helo", session.new_scope())
    if not isinstance(verdict, Accept):
        refuse(session, f"EHLO or HELO {event.name.lower()}", verdict)
        session.client.is_shown = True
        session.update_origin(helo="", host_name=session.client.name)
        return
    policy = session.policy
    offer = await offer_of(session) if event.is_esmtp else policy.engine.offer
    text = verdict.text
    if "\n" in text:
        session.services.journal.panic(
            "EHLO/HELO response must not contain newlines: message truncated: " + printable(f"250 {text}")
        )
        text = text.partition("\n")[0]
    greeting = without_code(text, 250) or f"{session.hostname} Hello {_who(session, event)}"
    session.engine.ehlo_reply(greeting, offer)


async def _is_itself(session: Session, event: Helo) -> bool:
    """`helo_lookup_domains`, `helo_verify_hosts` and `helo_try_verify_hosts`; False: refused, and answered."""
    habits = session.policy.habits
    if session.local is not None:
        return True
    verb_name = "EHLO" if event.is_esmtp else "HELO"
    if not session.client.name:
        await tell_lists(session, "helo_lookup_domains", subject=event.name)
    if habits.helo_lookup_domains is not None and await looks_like_ours(session, event.name):
        await look_up_name(session)
    is_must = habits.helo_verify_hosts is not None and await is_surely_in(session, habits.helo_verify_hosts)
    is_tried = habits.helo_try_verify_hosts is not None and await is_surely_in(
        session, habits.helo_try_verify_hosts
    )
    if not is_must and not is_tried:
        return True
    found = await has_its_name(session)
    if found or not is_must:
        return True
    log_rejection(
        session,
        f'{"temporarily " if found is None else ""}rejected "{verb_name} {event.name}" from {session.who()}',
    )
    if found is None:
        session.reply(Reply(451, f"{verb_name} argument does not match calling host", "4.3.0"))
    else:
        session.reply(Reply(550, f"{verb_name} argument does not match calling host", "5.7.1"))
    return False


def _who(session: Session, event: Helo) -> str:
    ident = f"{session.origin.ident} at " if session.origin.ident else ""
    host = f" [{session.origin.host_address}]" if session.local is None else ""
    return f"{ident}{session.client.name or event.name}{host}"


def protocol_name(session: Session, *, is_esmtp: bool, is_utf8: bool = False) -> str:
    """RFC 3848: `smtp`, `esmtp`, `esmtps`, `esmtpa`, `esmtpsa`, `lmtp` …"""
    base = "lmtp" if session.policy.engine.lmtp else "esmtp" if is_esmtp else "smtp"
    if session.local is not None:
        base = f"local-{base}"
    if is_utf8:
        base = f"utf8{base}"
    login = "a" if is_esmtp and session.origin.authenticator else ""
    if session.is_tls_on_connect and session.services.log_style.shows("tls_on_connect"):
        return f"essmtp{login}"  # of HELO too, whatever the specification says
    return f"{base}{'s' if session.origin.tls_cipher else ''}{login}"
