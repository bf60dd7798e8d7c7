"""Ports on all interfaces, by IPv4 and IPv6 at once, and those that are taken."""

from __future__ import annotations

import socket

import pytest
from tests.process.daemon import free_ports

from pillarbox.app.listening import Place, open_listeners
from pillarbox.system.listen import CannotListen, has_ipv6


def test_all_interfaces_of_both_families_on_one_port() -> None:
    [port] = free_ports(1)
    families = ("127.0.0.1", "::1") if has_ipv6() else ("127.0.0.1",)
    wide = {"127.0.0.1": "0.0.0.0", "::1": "::"}
    listeners = open_listeners([Place("smtp", wide[address], port) for address in families], 2)
    try:
        for address in families:
            socket.create_connection((address, port), timeout=5).close()
    finally:
        for listener in listeners:
            for each in listener.sockets:
                each.close()


def test_a_taken_port_is_told_and_nothing_stays_bound() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken, [free] = other.getsockname()[1], free_ports(1)
        with pytest.raises(CannotListen, match=f"port {taken}.*another program"):
            open_listeners([Place("smtp", "127.0.0.1", free), Place("smtp", "127.0.0.1", taken)], 1)
    with socket.socket() as again:
        again.bind(("127.0.0.1", free))
