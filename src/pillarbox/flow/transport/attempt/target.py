"""Targets: the single addresses that an attempt may connect to, in order, and what their retry hints are called."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pillarbox.flow.facets.delivering import RoutingFacts
from pillarbox.flow.route.result import Host
from pillarbox.flow.transport.login import Outbound
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.outcome import RemoteHost
from pillarbox.mail.taint import Tainted


class Target(msgspec.Struct, frozen=True, gc=False):
    """One IP address of one host, or one UNIX socket."""

    name: str
    address: str
    port: int
    mx_preference: int | None = None
    is_socket: bool = False
    """`address` is the path of a UNIX socket."""
    interface: str = ""
    """Our own address to connect from; empty: whichever."""
    is_known_by_address: bool = True
    """`retry_include_ip_address`."""
    is_fallback: bool = False
    is_secure: bool = False
    """DNSSEC vouches for the name and the address."""

    @property
    def remote(self) -> RemoteHost:
        return RemoteHost(self.name, self.address, self.port, self.is_secure)

    def outbound(self, cipher: str = "") -> Outbound:
        """For expansions. What the DNS has named is tainted, what the configuration has, is not."""
        name = self.name if self.mx_preference is None else Tainted(self.name)
        return Outbound(name, self.address, self.port, cipher)

    def facets(self, scope: Scope, cipher: str = "") -> dict[type, object]:
        """`outbound`, and whether DNSSEC vouches for the host."""
        known: dict[type, object] = {Outbound: self.outbound(cipher)}
        if self.is_secure:
            routing = scope.facet(RoutingFacts) or RoutingFacts()
            known[RoutingFacts] = msgspec.structs.replace(routing, lookup_dnssec_authenticated="yes")
        return known

    @property
    def key(self) -> str:
        """The host's retry key, `T:name:address`, with the port when it is not 25, and the interface (Exim 32)."""
        name = f"[{self.name}]" if self.name == self.address else self.name
        port = "" if self.port in (0, 25) else f":{self.port}"
        interface = f"/{self.interface}" if self.interface else ""
        address = f":{self.address}" if self.is_known_by_address else ""
        return f"T:{name}{address}{port}{interface}"

    @property
    def error_detail(self) -> str:
        """For retry rules: `refused_MX`, `refused_A` (Exim 32.5)."""
        return "A" if self.mx_preference is None else "MX"


def targets_of(hosts: Iterable[Host], default_port: int, *, is_fallback: bool = False) -> list[Target]:
    """Every address of every host, in the order of trying."""
    return [
        Target(
            host.name,
            address,
            host.port or default_port,
            host.mx_preference,
            is_fallback=is_fallback,
            is_secure=host.is_secure,
        )
        for host in hosts
        for address in host.addresses
    ]
