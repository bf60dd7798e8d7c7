"""`$host_address` while a router's `translate_ip_address` is worked out: the address that was found."""

from __future__ import annotations

from pillarbox.flow.route.translation import Translating
from pillarbox.language.expand.registry import variable

_RANK = 20


@variable("host_address", Translating, doc="Address that a router has found.", tainted=False, rank=_RANK)
def host_address(translating: Translating) -> str:
    return translating.address


@variable("host", Translating, doc="Name of the host that a router has found.", rank=_RANK)
def host(translating: Translating) -> str:
    return translating.host
