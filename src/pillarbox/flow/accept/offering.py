"""What EHLO offers this client (RFC 5321 §4.1.1.1), by `…_advertise_hosts` and the authenticators' conditions.

In most configurations that depends on nothing but the client's address and TLS. Then the answer is kept, and the next connection from there
costs a look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.flow.accept.listening import OFFERS, tell_lists
from pillarbox.flow.accept.membership import is_in
from pillarbox.flow.accept.turning import may_turn
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.hosts import HostList
from pillarbox.wire.smtp.extensions import Extensions

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

KEPT = 1024
"""Clients whose offer is kept."""
_WORD = re.compile(r"[A-Za-z_]+")
_CONDITIONS = {"if", "and", "or", "def", "eq", "eqi", "match_ip", "yes", "no", "true", "false"}
_STEADY_WORDS = _CONDITIONS | {"sender_host_address", "tls_cipher", "tls_in_cipher"}
"""What a condition may be made of to depend on address and cipher alone. Any other word may mean anything."""

Kept = dict[tuple[str, bool, str, bool, bool, bool], Extensions]


def kept_offers(authenticators: Iterable[Authenticator], *lists: object) -> Kept | None:
    """A place to keep offers, when they depend on address and TLS alone. `lists`: all that ask the client; empty or None: they do not."""
    conditions = [driver.server_advertise_condition for driver in authenticators]
    words = {word for one in conditions if one is not None for word in _WORD.findall(one.source)}
    return {} if words <= _STEADY_WORDS and not any(lists) else None


def everybody(hosts: HostList | None) -> HostList | None:
    """None where the list is `*`: nobody need be asked."""
    return None if hosts is None or hosts.source.strip() == "*" else hosts


async def offer_of(session: Session) -> Extensions:
    """What this client may use now."""
    policy, engine, origin = session.policy, session.engine, session.origin
    await tell_lists(session, *OFFERS)
    kept = policy.offers
    if (
        kept is None
        or origin.authenticator
        or session.memory.controls
        or engine.offer is not policy.engine.offer
    ):
        return await _asked(session)
    has_binding = bool(origin.tls_cipher and session.stream.channel_bindings())
    welcome = engine.is_early_pipelining_welcome
    is_own = origin.host_address == origin.interface_address
    key = (origin.host_address, is_own, origin.tls_cipher, has_binding, welcome, policy.tls_available)
    offer = kept.get(key)
    if offer is None:
        if len(kept) >= KEPT:
            kept.clear()
        offer = kept[key] = await _asked(session)
    return offer


async def _asked(session: Session) -> Extensions:
    policy = session.policy
    can_start_tls = policy.tls_available and not session.engine.is_tls
    offer = msgspec.structs.replace(
        session.engine.offer,
        starttls=can_start_tls and await _includes(session, policy.tls_hosts),
        auth=await _mechanisms(session, session.new_scope()),
        vrfy="vrfy" in policy.acls,
        expn="expn" in policy.acls,
        atrn="atrn" in policy.acls and await may_turn(session),
        etrn="etrn" in policy.acls,
        pipeconnect=session.engine.is_early_pipelining_welcome,
    )
    if "no_pipelining" in session.memory.controls:
        offer = msgspec.structs.replace(offer, pipelining=False)
    for extension, hosts in policy.offer_hosts:
        if not await _includes(session, hosts):
            offer = msgspec.structs.replace(offer, **{extension: () if extension == "limits" else False})
    return offer


async def _mechanisms(session: Session, scope: Scope) -> tuple[str, ...]:
    policy = session.policy
    if not policy.authenticators or session.origin.authenticator:
        return ()
    if not await _includes(session, policy.auth_hosts):
        return ()
    has_binding = bool(session.stream.channel_bindings())
    offered: list[str] = []
    decided: dict[str, bool] = {}  # most have the same condition
    for driver in policy.authenticators:
        if driver.mechanism.endswith("-PLUS") and not has_binding:
            continue
        condition = driver.server_advertise_condition
        key = condition.source if condition is not None else ""
        if key not in decided:
            decided[key] = await _is_offered(driver, session, scope)
        if decided[key]:
            offered.append(driver.mechanism)
    return tuple(offered)


async def _is_offered(driver: Authenticator, session: Session, scope: Scope) -> bool:
    if driver.server_advertise_condition is None and session.policy.offers_auth_in_clear:
        return True
    try:
        return await driver.is_offered(session.origin, scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        condition = driver.server_advertise_condition
        source = condition.source if condition is not None else ""
        session.services.journal.panic(
            f'failed to expand condition "{source}" for {driver.name} authenticator: {error}'
        )
        return False


async def _includes(session: Session, hosts: HostList | None) -> bool:
    """Whether the client is offered something; when the list cannot say now, it is not."""
    try:
        return hosts is None or await is_in(session, hosts)
    except (ExpansionDeferred, ExpansionFailed) as error:
        session.services.journal.panic(str(error))
        return False
