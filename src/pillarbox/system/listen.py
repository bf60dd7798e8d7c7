"""Listening sockets, bound before privileges are dropped; SO_REUSEPORT lets several stand on one address.

The supervisor holds them all, so connections wait in the backlog until a worker accepts them, also when one has just died.
"""

from __future__ import annotations

import socket

BACKLOG = 1024


class CannotListen(Exception):
    """`str()` names address, port, reason and remedy."""

    def __init__(self, text: str, address: str = "", port: int = 0, reason: str = "") -> None:
        """`address`: none where there is no place that could be free later. `reason`: the system's."""
        super().__init__(text)
        self.address, self.port, self.reason = address, port, reason

    @property
    def in_exims_words(self) -> str:
        where = {"::": "(any IPv6)", "0.0.0.0": "(any IPv4)"}.get(self.address, self.address)
        return f"socket bind() to port {self.port} for address {where} failed: {self.reason}"


def bind(address: str, port: int) -> socket.socket:
    """A bound TCP socket, listening. `address`: an IP address; `::` or IPv6 means IPv6 only."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise CannotListen(_explain(address, port, error), address, port, error.strerror or "") from error
    return made


def is_taken(address: str, port: int) -> bool:
    """Whether another program listens there already (SO_REUSEPORT would share it in silence)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno == 98
    return False


def has_ipv6() -> bool:
    """Whether `::1` can be bound here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _explain(address: str, port: int, error: OSError) -> str:
    where = f"cannot listen on {address} port {port}: {error.strerror}"
    match error.errno:
        case 98:
            return f"{where}; stop the program that listens there, or choose another port"
        case 13:
            return f"{where}; ports below 1024 need root, or choose another port"
        case 99:
            return f"{where}; no interface of this machine has that address"
        case _:
            return where
