"""Opening a session: dial, greeting, EHLO, STARTTLS (RFC 5321 §3.1, §3.2; RFC 3207; Exim 30, 43).

TLS is opportunistic unless demanded: when the handshake fails the same host is tried again in clear (`tls_tempfail_tryclear`).
"""

from __future__ import annotations

import msgspec

from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.proxying import Proxy, connect_by
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import Lost, Trouble, host_refusal
from pillarbox.mail.reply import Reply
from pillarbox.ports.network import Connection, DialError, Network
from pillarbox.wire.exim.log_line import remote_host
from pillarbox.wire.smtp.client import ClientEngine
from pillarbox.wire.smtp.events import Helo, StartTls


async def open_session(
    target: Target, manners: Manners, habits: Habits, network: Network
) -> Session | Trouble:
    """A session that has said EHLO and is as secure as wished, or why there is none."""
    opened = await _try_to_open(target, manners, habits, network)
    if (
        isinstance(opened, Trouble)
        and opened.is_tls
        and manners.tls == "try"
        and manners.clear_after_tls_failure
    ):
        if habits.note is not None:
            where = f"{habits.in_clear}{remote_host(target.remote)} (not in hosts_require_tls)"
            habits.note(f"{opened.text}: {where}")
        return await _try_to_open(target, msgspec.structs.replace(manners, tls="avoid"), habits, network)
    return opened


async def _try_to_open(
    target: Target, manners: Manners, habits: Habits, network: Network
) -> Session | Trouble:
    events, at = habits.events, target.outbound()
    if events is not None and await events.tell("tcp:connect", at=at):
        return Trouble("host", "Event requests alternate response", error="event")
    try:
        connection, proxy = await _dial(target, manners, habits, network)
    except DialError as error:
        if error.error == "lost_connection" and not habits.proxies:  # reset before we had a look: the same as a little later
            return Lost.of(error).after("initial connection")
        return Trouble("host", str(error), error=error.error, is_tls=error.error == "tls")
    engine = ClientEngine(lmtp=habits.lmtp, pipelining=manners.pipelining)
    session = Session(connection, engine, target, habits.command_timeout)
    if proxy is not None:
        session.proxy = (proxy.address, proxy.port)
    session.startup = "s" if manners.tls == "first" else ""
    trouble = await _greet(session, manners, habits)
    if trouble is not None:
        await session.quit()
        if events is not None:
            await events.tell("tcp:close", at=at)
        return trouble
    return session


async def _dial(
    target: Target, manners: Manners, habits: Habits, network: Network
) -> tuple[Connection, Proxy | None]:
    if target.is_socket:
        return await network.connect_unix(target.address, timeout=habits.connect_timeout), None
    if habits.proxies:
        connection, proxy = await connect_by(
            habits.proxies, target.address, target.port, network, habits.socket, habits.note
        )
        if manners.tls == "first":
            await connection.start_tls(manners.wish(target), habits.connect_timeout)
        return connection, proxy
    connection = await network.connect(
        target.address,
        target.port,
        timeout=habits.connect_timeout,
        interface=target.interface,
        tls=manners.wish(target) if manners.tls == "first" else None,
        socket=habits.socket,
    )
    return connection, None


async def _greet(session: Session, manners: Manners, habits: Habits) -> Trouble | None:
    """Banner, EHLO, and STARTTLS when it is to be."""
    stage = "initial connection"
    try:
        [banner] = await session.answers(1, habits.command_timeout)
        if not banner.reply.is_positive:
            return host_refusal(stage, banner.reply)
        stage = await _told_of_banner(session, habits, banner.reply)
        if stage:
            return Trouble("host", f"deferred by smtp:connect event expansion: {stage}", error="event_close")
        stage = f"{'LHLO' if habits.lmtp else 'EHLO'} {_name(manners, habits)}"
        refused = await _say_hello(session, manners, habits)
        if refused is not None or manners.tls in ("avoid", "first"):
            return refused
        stage = "STARTTLS"
        return await _secure(session, manners, habits)
    except Lost as lost:
        return lost.after(stage)


async def _told_of_banner(session: Session, habits: Habits, banner: Reply) -> str:
    """Why to hang up; mostly empty."""
    if habits.events is None:
        return ""
    return await habits.events.tell("smtp:connect", banner.as_said, at=session.target.outbound())


def _name(manners: Manners, habits: Habits) -> str:
    return manners.helo or habits.helo


async def _say_hello(session: Session, manners: Manners, habits: Habits) -> Trouble | None:
    """EHLO; HELO for a host that refuses it, whatever the code, as Exim does (RFC 5321 §3.2)."""
    said = ""
    if manners.esmtp or habits.lmtp:
        session.startup += "l" if habits.lmtp else "e"
        [hello] = await session.ask(Helo(_name(manners, habits), is_esmtp=True))
        if hello.reply.is_positive:
            if habits.events is not None:
                at = session.target.outbound(session.tls_cipher)
                await habits.events.tell("smtp:ehlo", hello.reply.as_said, at=at)
            return None
        if habits.lmtp:
            return host_refusal(f"LHLO {_name(manners, habits)}", hello.reply)
        said = f" (EHLO response was: {hello.reply.as_said})"
        if session.engine.is_closed:
            return Lost("lost_connection", "").after(f"HELO {_name(manners, habits)}{said}")
    session.startup += "h"
    try:
        [hello] = await session.ask(Helo(_name(manners, habits), is_esmtp=False))
    except Lost as lost:
        return lost.after(f"HELO {_name(manners, habits)}{said}")
    return None if hello.reply.is_positive else host_refusal(f"HELO {_name(manners, habits)}", hello.reply)


async def _secure(session: Session, manners: Manners, habits: Habits) -> Trouble | None:
    """STARTTLS when offered, then EHLO again, since what was said in clear does not count (RFC 3207 §4.2)."""
    is_required = manners.tls == "require"
    if not session.engine.extensions.starttls:
        text = "a TLS session is required, but the server did not offer TLS support"
        return Trouble("host", text, error="tls_required") if is_required else None
    [answer] = await session.ask(StartTls())
    if answer.reply.code != 220:
        if is_required:
            text = "a TLS session is required, but an attempt to start TLS failed"
            return Trouble("host", text, answer.reply, error="tls_required")
        if answer.reply.is_transient and not manners.clear_after_tls_failure:
            return host_refusal("STARTTLS", answer.reply)
        return None
    await session.start_tls(manners.wish(session.target))
    session.startup += "s"
    return await _say_hello(session, manners, habits)
