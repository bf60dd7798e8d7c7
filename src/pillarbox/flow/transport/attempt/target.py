"""Targets: the single addresses that an attempt may connect to, in order, and what their retry hints are called."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pillarbox.flow.route.result import Host
from pillarbox.mail.outcome import RemoteHost


class Target(msgspec.Struct, frozen=True, gc=False):
    """One IP address of one host, or one UNIX socket."""

    name: str
    address: str
    port: int
    mx_preference: int | None = None
    is_socket: bool = False
    """`address` is the path of a UNIX socket."""

    @property
    def remote(self) -> RemoteHost:
        return RemoteHost(self.name, self.address, self.port)

    @property
    def key(self) -> str:
        """The host's retry key, `T:name:address`, with `+port` when it is not 25 (Exim 32)."""
        port = "" if self.port in (0, 25) else f"+{self.port}"
        return f"T:{self.name}:{self.address}{port}"

    @property
    def error_detail(self) -> str:
        """For retry rules: `refused_MX`, `refused_A` (Exim 32.5)."""
        return "A" if self.mx_preference is None else "MX"


def targets_of(hosts: Iterable[Host], default_port: int) -> list[Target]:
    """Every address of every host, in the order of trying."""
    return [
        Target(host.name, address, host.port or default_port, host.mx_preference)
        for host in hosts
        for address in host.addresses
    ]
