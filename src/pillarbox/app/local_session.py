"""An SMTP session of a program on this machine (`-bs`; Exim 5): on standard input, or handed over to the daemon."""

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
    """`about`: of `-oM…`, for a trusted caller; with a host's address, or on a socket that inetd gave us, it is that host's session."""
    engine = msgspec.structs.replace(mta.policy.engine, enforce_sync=False, has_socket=False)
    policy = msgspec.structs.replace(mta.policy, engine=engine)
    told = origin_of(Submit(about=dict(about)), caller)
    is_remote = told.host_address or stream.peer_address[0]
    session = Session(stream, policy, mta.accept_services, local=None if is_remote else caller)
    if told.ident != caller.login:
        session.update_origin(ident=told.ident, caller_login=caller.login)
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
