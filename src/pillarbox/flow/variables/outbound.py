"""Variables about a connection to another host, over `flow.transport.authenticate.Outbound`; and what a client's AUTH has given."""

from __future__ import annotations

from pillarbox.flow.accept.authenticators.authenticator import AuthItems
from pillarbox.flow.transport.login import Outbound
from pillarbox.language.expand.registry import variable

_RANK = 10


@variable("host", Outbound, doc="Name of the host we are connected to.", tainted=False, rank=_RANK)
def host(outbound: Outbound) -> str:
    return outbound.host


@variable("host_address", Outbound, doc="Address of the host we are connected to.", tainted=False, rank=_RANK)
def host_address(outbound: Outbound) -> str:
    return outbound.address


@variable(
    "host_port",
    Outbound,
    doc="Port of the host we are connected to.",
    tainted=False,
    rank=_RANK,
    absent="0",
)
def host_port(outbound: Outbound) -> str:
    return str(outbound.port)


@variable("tls_out_cipher", Outbound, doc="Cipher suite of the outgoing TLS connection.", tainted=False)
def tls_out_cipher(outbound: Outbound) -> str:
    return outbound.tls_cipher


def _item(number: int) -> None:
    @variable(f"auth{number}", AuthItems, doc=f"Item {number} of what the client's AUTH has given.")
    def item(given: AuthItems) -> str:
        return given.items[number - 1] if len(given.items) >= number else ""


for _number in (1, 2, 3, 4):
    _item(_number)
