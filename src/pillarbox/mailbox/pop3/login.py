"""The AUTHORIZATION state: USER and PASS, AUTH (RFC 5034), STLS (RFC 2595).

Passwords are taken only under TLS or on loopback. The answers tell a wrong password (`[AUTH]`) from trouble of ours (`[SYS/TEMP]`,
RFC 3206), never whether the name exists.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import TYPE_CHECKING

from pillarbox.ports.logins import Challenge, Exchange, Failure, Step, Success
from pillarbox.wire.pop3.verbs import Command, SaslResponse

if TYPE_CHECKING:
    from pillarbox.mailbox.pop3.session import Session


def is_confidential(session: Session) -> bool:
    """Nobody can listen in between."""
    connection = session.connection
    return bool(connection.tls_cipher) or ipaddress.ip_address(connection.peer_address[0]).is_loopback


def mechanisms(session: Session) -> tuple[str, ...]:
    """What AUTH takes now."""
    if not is_confidential(session):
        return ()
    has_binding = bool(session.connection.channel_bindings())
    return session.services.logins.mechanisms(has_channel_binding=has_binding)


async def user(session: Session, command: Command) -> None:
    if not is_confidential(session):
        session.refuse("Begin TLS first (STLS)")
        return
    session.user_name = command.text
    session.engine.ok("Now the password")


async def password(session: Session, command: Command) -> None:
    name, session.user_name = session.user_name, ""
    if not name:
        session.refuse("USER comes first")
        return
    logins, peer = session.services.logins, session.connection.peer_address[0]
    await _conclude(session, await logins.password(name, command.text, peer))


async def auth(session: Session, command: Command) -> None:
    offered = mechanisms(session)
    if not command.text:  # RFC 1734's way to ask, still used
        session.engine.lines("Mechanisms follow", offered)
        return
    name, _, initial = command.text.partition(" ")
    exchange = _begin(session, name.upper()) if name.upper() in offered else None
    if exchange is None:
        session.refuse("No such mechanism here" if is_confidential(session) else "Begin TLS first (STLS)")
        return
    response = b"" if initial == "=" else _decode(initial.encode()) if initial else None
    if initial and response is None:
        session.refuse("The initial response is not in base64")
        return
    await _exchange(session, exchange, response)


def _begin(session: Session, mechanism: str) -> Exchange | None:
    connection = session.connection
    return session.services.logins.begin(mechanism, connection.peer_address[0], connection.channel_bindings())


async def _exchange(session: Session, exchange: Exchange, response: bytes | None) -> None:
    step: Step = await exchange.step(response)
    while isinstance(step, Challenge):
        session.engine.challenge(base64.b64encode(step.data))
        answer = await session.next_event()
        if not isinstance(answer, SaslResponse) or answer.is_cancelled:
            session.refuse("Cancelled")
            return
        decoded = _decode(answer.data)
        if decoded is None:
            session.refuse("The response is not in base64")
            return
        step = await exchange.step(decoded)
    await _conclude(session, step)


def _decode(data: bytes) -> bytes | None:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None


async def _conclude(session: Session, result: Success | Failure) -> None:
    if isinstance(result, Success):
        await session.enter_maildrop(result.account)
        return
    session.note_failed_login(result.log)
    match result.kind:
        case "credentials":
            session.engine.err("Wrong name or password", "AUTH")
        case "malformed":
            session.engine.err("The response makes no sense")
        case "throttled":
            session.engine.err("Too many failed logins; try again later", "SYS/TEMP")
        case "temporary":
            session.engine.err("Logging in does not work at the moment", "SYS/TEMP")


async def start_tls(session: Session, command: Command) -> None:
    if session.connection.tls_cipher or not session.settings.can_start_tls:
        session.refuse("TLS is on already" if session.connection.tls_cipher else "TLS is not available")
        return
    session.engine.ok("Begin TLS")
    await session.flush()
    session.engine.upgrade()
    await session.connection.start_tls_server(session.settings.tls_timeout)
    session.engine.upgrade()
    session.user_name = ""
