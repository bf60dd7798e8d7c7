"""What a message keeps of its session for variables that are asked at its delivery (`mail.reception`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.mail.envelope import Origin
from pillarbox.mail.reception import NOTHING, Reception
from pillarbox.mail.replaced import Replaced, replaced_lines

if TYPE_CHECKING:
    from pillarbox.flow.accept.finish.state import Finish
    from pillarbox.flow.accept.policy import AcceptPolicy
    from pillarbox.flow.accept.session import Session


async def reception_of(state: Finish) -> Reception | None:
    """None: nothing that is worth it, as with most."""
    session, facts = state.session, state.transaction.facts
    client, policy, live = session.client, session.policy, session.live
    changes: dict[str, object] = {}
    if session.hostname != policy.primary_hostname:
        changes["active_hostname"] = session.hostname
    if name := session.origin.authenticator:
        changes["mechanism"] = _mechanism(policy, name)
    if client.has_failed or client.is_deferred:
        changes["has_no_name"], changes["is_name_deferred"] = client.has_failed, client.is_deferred
    if live.longest_line:
        changes["longest_line"] = live.longest_line
    if session.tls is not None:
        changes["tls_resumption"], changes["peer_certificate"] = session.tls.resumption, session.tls.peercert
    if session.local is not None:
        changes["is_sender_local"] = not session.local.is_trusted
        changes["allows_unqualified_sender"] = changes["allows_unqualified_recipient"] = True
    else:
        for field, hosts in (
            ("allows_unqualified_sender", policy.sender_unqualified_hosts),
            ("allows_unqualified_recipient", policy.recipient_unqualified_hosts),
        ):
            if hosts is not None and await is_surely_in(session, hosts):
                changes[field] = True
    if facts.taken is not None and (replaced := lines_that_went(facts.taken.headers, state.headers, policy)):
        changes["replaced"] = replaced
    if changes:
        return msgspec.structs.replace(facts.reception, **changes)
    return None if facts.reception is NOTHING else facts.reception


def lines_that_went(taken: bytes, kept: bytes, policy: AcceptPolicy) -> tuple[Replaced, ...]:
    """Header lines of `taken` that `kept` has no more. One that was only repaired counts as it is now."""
    clean = policy.repairs.clean
    return tuple(one for one in replaced_lines(taken, kept) if clean(one.raw) in (b"", one.raw))


def origin_of(session: Session) -> Origin:
    """With the name that only HELO's verification has asked for: it is in the spool, and not yet in the log."""
    origin, client = session.origin, session.client
    if origin.host_name or not client.name or client.is_shown:
        return origin
    return msgspec.structs.replace(origin, host_name=client.name)


def _mechanism(policy: AcceptPolicy, name: str) -> str:
    """What the authenticator `name` is called in AUTH; that of certificates, which nobody can name there, has a public name too."""
    rules = policy.tls_rules
    if rules is not None and rules.authenticator is not None and rules.authenticator.name == name:
        return rules.authenticator.public_name
    return next((each.mechanism for each in policy.authenticators if each.name == name), "")
