"""What this machine is called and its addresses: `@` and `@[]` in lists."""

from __future__ import annotations

import msgspec


class LocalHost(msgspec.Struct, frozen=True):
    """A facet of every scope in which lists are matched; without it `@` and `@[]` match nothing."""

    primary_hostname: str
    addresses: frozenset[str] = frozenset()
    """IPv4 and IPv6 addresses of the local interfaces in their shortest form."""
