"""Opening a session: dial, greeting, EHLO, STARTTLS (RFC 5321 §3.1, §3.2; RFC 3207; Exim 30, 43).

TLS is opportunistic unless demanded: when the handshake fails the same host is tried again in clear (`tls_tempfail_tryclear`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from pillarbox.flow.transport.attempt.dane import find_dane, tell_of_failure, with_dane
from pillarbox.flow.transport.attempt.early import Kept, is_welcome, speak_first
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.proxying import Proxy, connect_by
from pillarbox.flow.transport.attempt.securing import believe, start_tls, wish_for
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import Lost, Trouble, host_refusal
from pillarbox.flow.transport.events import Events, Facets
from pillarbox.flow.transport.login import Outbound
from pillarbox.flow.transport.turned import TurnedNetwork
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.mail.reply import Reply
from pillarbox.ports.network import Connection, DialError, Network, SocketWish
from pillarbox.wire.exim.outcome_line import remote_host
from pillarbox.wire.smtp.client import ClientEngine
from pillarbox.wire.smtp.events import Helo
from pillarbox.wire.tlsa import Tlsa

_BY_US = "initial connection"
_TURNED = "ATRN line turnaround"


async def open_session(
    target: Target, manners: Manners, habits: Habits, network: Network
) -> Session | Trouble:
    """A session that has said EHLO and is as secure as wished, or why there is none."""
    dane: Sequence[Tlsa] | None = None
    if manners.dane != "no" and (target.is_secure or manners.dane == "require"):
        found = await find_dane(target, manners, habits)
        if isinstance(found, Trouble):
            return found
        if found is not None:
            dane, manners = found, with_dane(manners, found)
    opened = await _try_to_open(target, manners, habits, network, dane)
    if (
        isinstance(opened, Trouble)
        and opened.is_tls
        and manners.tls == "try"
        and manners.clear_after_tls_failure
    ):
        if habits.events is not None:
            await habits.events.host_deferred("msg:host:defer", opened, _outbound(target, habits))
        if habits.note is not None:
            where = f"{habits.in_clear}{remote_host(target.remote)} (not in hosts_require_tls)"
            habits.note(f"{opened.text}: {where}")
        return await _try_to_open(target, msgspec.structs.replace(manners, tls="avoid"), habits, network)
    return opened


async def _try_to_open(
    target: Target,
    manners: Manners,
    habits: Habits,
    network: Network,
    dane: Sequence[Tlsa] | None = None,
) -> Session | Trouble:
    events = habits.events
    greeting = _BY_US
    if isinstance(network, TurnedNetwork) and network.is_at(target.address, target.port):
        greeting = _TURNED
    if events is not None and await events.tell("tcp:connect", at=_outbound(target, habits)):
        return Trouble("host", "Event requests alternate response", error="event")
    try:
        connection, proxy = await _dial(target, manners, habits, network)
    except DialError as error:
        if error.error == "not_our_address" and habits.note is not None:
            habits.note(f"bind of [{target.interface}]:0 failed")
        if error.error == "lost_connection" and not habits.proxies:
            # Reset before we had a look at it: the same as a little later.
            return Lost.of(error).after(greeting)
        return Trouble("host", str(error), error=error.error, is_tls=error.error == "tls")
    if connection.tls_cipher and manners.tls != "first":  # it has turned round, TLS and all
        manners = msgspec.structs.replace(manners, tls="avoid")
    engine = ClientEngine(lmtp=habits.lmtp, pipelining=manners.pipelining)
    session = Session(connection, engine, target, habits.command_timeout)
    if proxy is not None:
        session.proxy = (proxy.address, proxy.port)
    session.dane = dane
    session.startup = "s" if manners.tls == "first" else ""
    if events is not None:
        session.at_end = partial(_tell_of_end, session, events)
    trouble = await _greet_by_name(session, manners, habits, greeting)
    if trouble is not None:
        interface, security = session.local_address, session.security
        if dane is not None:
            await tell_of_failure(trouble, target, habits)
        await (session.hang_up() if trouble.is_tls else session.quit())
        return msgspec.structs.replace(
            trouble,
            was_connected=True,
            interface=interface,
            startup=session.startup,
            security=security,
        )
    return session


async def _tell_of_end(session: Session, events: Events) -> None:
    await events.tell("tcp:close", at=session.facets(events.scope))


def _outbound(target: Target, habits: Habits) -> Facets:
    """Where the connection itself leads: to a proxy, where there is one."""
    if habits.proxies:
        proxy = habits.proxies[0]
        return {Outbound: Outbound(target.name, proxy.address, proxy.port)}
    return {Outbound: target.outbound()}


async def _dial(
    target: Target, manners: Manners, habits: Habits, network: Network
) -> tuple[Connection, Proxy | None]:
    if target.is_socket:
        return await network.connect_unix(target.address, timeout=habits.connect_timeout), None
    fast_open = "no" if not manners.fast_open else "too_late" if habits.has_tried else "try"
    socket = msgspec.structs.replace(habits.socket or SocketWish(), host=target.name, fast_open=fast_open)
    if habits.proxies:
        socket = msgspec.structs.replace(socket, proxied=f"[{target.address}]:{target.port}")
        connection, proxy = await connect_by(habits.proxies, target, network, socket, habits.note)
        if manners.tls == "first":
            await connection.start_tls(wish_for(target, manners, habits), habits.connect_timeout)
        return connection, proxy
    connection = await network.connect(
        target.address,
        target.port,
        timeout=habits.connect_timeout,
        interface=target.interface,
        tls=wish_for(target, manners, habits) if manners.tls == "first" else None,
        socket=socket,
    )
    return connection, None


async def _greet_by_name(session: Session, manners: Manners, habits: Habits, greeting: str) -> Trouble | None:
    if habits.name_on is not None:
        try:
            manners = msgspec.structs.replace(manners, helo=await habits.name_on(session))
        except (ExpansionDeferred, ExpansionFailed) as error:
            return Trouble("host", str(error), error="event_close")
    return await _greet(session, manners, habits, greeting)


async def _greet(session: Session, manners: Manners, habits: Habits, greeting: str) -> Trouble | None:
    """Banner, EHLO, and STARTTLS when it is to be."""
    stage = "TLS-on-connect" if manners.tls == "first" else f"{habits.ahead}{greeting}"
    try:
        if manners.tls == "first":
            await believe(session, manners, habits)
        kept = _kept_to_speak_first(session, manners, habits)
        if kept is not None:
            stage = "STARTTLS"
            return await _begin(session, manners, habits, kept)
        [banner] = await session.answers(1, habits.command_timeout)
        if not banner.reply.is_positive:
            return host_refusal(stage, banner.reply)
        stage = await _told_of_banner(session, habits, banner.reply)
        if stage:
            return Trouble("host", f"deferred by smtp:connect event expansion: {stage}", error="event_close")
        stage = f"{habits.ahead}{'LHLO' if habits.lmtp else 'EHLO'} {_name(manners, habits)}"
        refused = await _say_hello(session, manners, habits)
        if refused is not None or manners.tls in ("avoid", "first"):
            return refused
        stage = "STARTTLS"
        secured = await start_tls(session, manners, habits)
        if isinstance(secured, Trouble):
            return secured
        # What was said in clear does not count (RFC 3207 §4.2).
        return await _say_hello(session, manners, habits) if secured else None
    except Lost as lost:
        return lost.after(stage)


def _kept_to_speak_first(session: Session, manners: Manners, habits: Habits) -> Kept | None:
    """What it offered last time; None: its banner is to be awaited."""
    if not manners.pipe_connect or habits.capabilities is None:
        return None
    kept = habits.capabilities.of(session.target)
    if manners.tls == "first":
        may_speak_first = is_welcome(kept.crypted)
    else:
        may_speak_first = is_welcome(kept.clear) and (kept.clear.starttls or manners.tls != "require")
    return kept if may_speak_first else None


async def _begin(session: Session, manners: Manners, habits: Habits, kept: Kept) -> Trouble | None:
    """EHLO, and STARTTLS when it is to be, before the host has said a word. Raises Lost."""
    assert habits.capabilities is not None
    hello = Helo(_name(manners, habits), is_esmtp=True)
    offered = kept.crypted if manners.tls == "first" else kept.clear
    speak_first(session, hello, offered, habits.capabilities)
    if manners.tls in ("avoid", "first") or not offered.starttls:
        return None
    secured = await start_tls(session, manners, habits)
    if isinstance(secured, Trouble) or not secured:
        return secured or None
    if not is_welcome(kept.crypted):
        return await _say_hello(session, manners, habits)
    speak_first(session, hello, kept.crypted, habits.capabilities)
    return None


async def _told_of_banner(session: Session, habits: Habits, banner: Reply) -> str:
    """Why to hang up; mostly empty."""
    if habits.events is None:
        return ""
    return await habits.events.tell("smtp:connect", banner.as_said, at=session.facets(habits.events.scope))


def _name(manners: Manners, habits: Habits) -> str:
    return manners.helo or habits.helo


async def _say_hello(session: Session, manners: Manners, habits: Habits) -> Trouble | None:
    """EHLO; HELO for a host that refuses it, whatever the code, as Exim does (RFC 5321 §3.2)."""
    said = ""
    if manners.esmtp or habits.lmtp:
        session.startup += "l" if habits.lmtp else "e"
        [hello] = await session.ask(Helo(_name(manners, habits), is_esmtp=True))
        if habits.events is not None and (hello.reply.is_positive or not habits.lmtp):
            at = session.facets(habits.events.scope)
            await habits.events.tell("smtp:ehlo", hello.reply.as_said, at=at)
        if hello.reply.is_positive:
            if habits.capabilities is not None and manners.pipe_connect:
                habits.capabilities.learn(session)
            return None
        if habits.lmtp:
            return host_refusal(f"{habits.ahead}LHLO {_name(manners, habits)}", hello.reply)
        said = f" (EHLO response was: {hello.reply.as_said})"
    session.startup += "h"
    stage = f"{habits.ahead}HELO {_name(manners, habits)}"
    try:
        [hello] = await session.ask(Helo(_name(manners, habits), is_esmtp=False))
    except Lost as lost:
        return lost.after(f"{stage}{said}")
    return None if hello.reply.is_positive else host_refusal(stage, hello.reply)
