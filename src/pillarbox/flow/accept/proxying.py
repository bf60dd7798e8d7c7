"""Connections through a proxy: `hosts_proxy` (Exim 59.1). Who the client is, the proxy says first.

A proxy that says it wrongly, or not in time, gets a session in which nothing is taken but QUIT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.accept.naming import look_up_name
from pillarbox.flow.facets.session import ProxyFacts
from pillarbox.language.match.hosts import HostList
from pillarbox.ports.network import DialError
from pillarbox.wire.proxy_header import BadProxyHeader, Proxied, read_proxy_header
from pillarbox.wire.smtp.order import NO_PROXY

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

UNKNOWN = ProxyFacts(session=True)


class Proxies(msgspec.Struct, frozen=True):
    """`hosts_proxy` and `proxy_protocol_timeout`."""

    hosts: HostList
    patience: float


async def hear_proxy(session: Session, proxies: Proxies) -> None:
    """Take the client for what the proxy says."""
    if session.local is not None or not await is_surely_in(session, proxies.hosts):
        return
    proxied = await _read(session, proxies.patience)
    origin = session.origin
    if proxied is None:
        session.proxy = UNKNOWN
        session.engine.refusal_of_all = NO_PROXY
        return
    if proxied.is_own:
        address, port = origin.host_address, origin.host_port
        session.proxy = ProxyFacts(address, port, address, port, True)
        return
    if not proxied.client:
        session.proxy = UNKNOWN
        return
    session.proxy = ProxyFacts(
        external_address=proxied.server,
        external_port=proxied.server_port,
        local_address=origin.host_address,
        local_port=origin.host_port,
        session=True,
    )
    session.update_origin(host_address=proxied.client, host_port=proxied.client_port)
    await look_up_name(session)


async def _read(session: Session, patience: float) -> Proxied | None:
    """None: it is not to be understood, or did not come in time. What lies behind it is the client's."""
    clock, stream = session.services.clock, session.stream
    deadline = clock.monotonic() + patience
    data = b""
    while True:
        try:
            piece = await stream.read(max(deadline - clock.monotonic(), 0.001))
        except DialError:
            return None
        data += piece
        try:
            found = read_proxy_header(data)
        except BadProxyHeader:
            return None
        if found is not None:
            proxied, length = found
            stream.unread(data[length:])
            return proxied
        if not piece:
            return None
