"""The addresses of this machine."""

from __future__ import annotations

import socket
from itertools import pairwise
from pathlib import Path


def read_local_addresses() -> frozenset[str]:
    """IPv4 and IPv6 addresses of this machine's interfaces, from the kernel's tables; loopback always among them."""
    found = {"127.0.0.1", "::1"}
    found.update(_local_ipv4())
    found.update(_local_ipv6())
    return frozenset(found)


def _local_ipv4() -> set[str]:
    try:
        lines = Path("/proc/net/fib_trie").read_text("ascii").splitlines()
    except OSError:
        return set()
    found = set()
    for before, line in pairwise(lines):
        if "/32 host LOCAL" in line:
            found.add(before.rpartition(" ")[2])
    return found


def _local_ipv6() -> set[str]:
    try:
        lines = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:
        return set()
    return {socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])) for line in lines if line}
