"""`udpsend` (Exim 44.12): tell a host something by one datagram, `host : port : text`. No answer is waited for, and none of it delays the client
but looking up a name."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState, CheckDeferred, CheckFailed, expand_argument
from pillarbox.flow.check.acl.templated import TemplateModifier
from pillarbox.language.match.items import separator_of
from pillarbox.mail.reply import Reason
from pillarbox.ports.sockets import Sockets, SocketTrouble
from pillarbox.wire.exim.log_line import smtp_connection

LONGEST = 65507
"""Octets of a datagram."""
_NO_ADDRESS = 'DNS lookup failed in "udpsend" modifier'


class UdpSend(TemplateModifier, modifier="udpsend"):
    __slots__ = ()

    async def apply(self, state: AclState) -> None:
        text = await expand_argument(self._template, state)
        host, port, data = _read(text)
        if not host:
            raise CheckDeferred(Reason(_NO_ADDRESS))
        sockets = state.scope.facet(Sockets)  # type: ignore[type-abstract]
        if sockets is None:
            return
        try:
            await sockets.tell(host, port, data.encode("utf-8", "surrogateescape")[:LONGEST])
        except SocketTrouble as error:
            client = state.connection
            during = f" (during {smtp_connection(client, state.services.log_style)})"
            state.log(f"{error}{during if client.host_address else ''}", state.services.log.main)
            raise CheckDeferred(Reason(_NO_ADDRESS)) from None


def _read(text: str) -> tuple[str, int, str]:
    """Raises CheckFailed."""
    separator = separator_of(text)
    bare = text.lstrip()
    if bare.startswith("<") and bare[1:2] == separator:
        bare = bare[2:]
    host, port, data = [*(part.strip() for part in bare.split(separator, 2)), "", ""][:3]
    for name, part in (("host", bare.strip()), ("port", port)):
        if not part:
            raise CheckFailed(f'missing destination {name} in "udpsend" modifier')
    try:
        return host, int(port), data
    except ValueError:
        raise CheckFailed('bad destination port in "udpsend" modifier') from None
