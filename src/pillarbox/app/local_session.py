"""An SMTP session on standard input (`-bs`; Exim 5): of a program on this machine, handed over to the daemon perhaps, or of inetd's client."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pillarbox.app.mta import Mta
from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.local.origin import origin_of
from pillarbox.flow.accept.session import Session
from pillarbox.ports.network import ServedConnection
from pillarbox.wire.control import Submit


def local_session(stream: ServedConnection, mta: Mta, caller: Caller, about: Mapping[str, str]) -> Session:
    """`about`: of `-oM…`, for a trusted caller; with a host's address it is that host's session."""
    engine = msgspec.structs.replace(mta.policy.engine, enforce_sync=False, has_socket=False)
    policy = msgspec.structs.replace(mta.policy, engine=engine)
    told = origin_of(Submit(about={**about, "r": "smtp"}), caller)
    session = Session(stream, policy, mta.accept_services, local=None if told.host_address else caller)
    if told.ident != caller.login:
        session.update_origin(ident=told.ident, caller_login=caller.login)
    if not told.host_address and caller.is_trusted and about:
        session.update_origin(
            interface_address=told.interface_address,
            interface_port=told.interface_port,
            host_name=about.get("s", ""),
            authenticated_id=about.get("ai", session.origin.authenticated_id),
        )
    if told.host_address:
        session.take_origin(
            msgspec.structs.replace(
                told,
                protocol="smtp",
                authenticated_id=about.get("ai", ""),
                connection_id=session.origin.connection_id,
            )
        )
    return session


def served_session(
    stream: ServedConnection, mta: Mta, caller: Caller, about: Mapping[str, str], *, is_tls: bool
) -> Session:
    """On the socket that inetd gave us: as the daemon's own. `is_tls`: from the start."""
    session = Session(stream, mta.policy, mta.accept_services, is_tls=is_tls, connections=1)
    if caller.is_trusted and "t" in about:
        session.update_origin(ident=about["t"])
    return session


def customer_session(stream: ServedConnection, mta: Mta, caller: Caller) -> Session:
    """On a connection that we have made to a provider of our mail, who is the client of it now (ATRN)."""
    session = Session(stream, mta.policy, mta.accept_services, is_tls=bool(stream.tls_cipher))
    session.update_origin(ident=caller.login)
    session.is_customer = True
    return session
