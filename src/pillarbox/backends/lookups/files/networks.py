"""Addresses and networks as keys: the first line of the file whose network holds the address (Exim 9.3.6).

One dictionary for each length of mask, so that the cost does not grow with the number of lines.
"""

from __future__ import annotations

import re
import socket
from typing import NamedTuple

_KEY = re.compile(r"([0-9A-Fa-f.:]+)(?:/[ \t]*([0-9]{1,3})|%[^/]*)?", re.ASCII)


class Address(NamedTuple):
    bits: int
    """32 or 128."""
    number: int


def parse_address(text: str) -> Address | None:
    """An address of either family; an IPv6 one may have a zone behind `%`, which does not count."""
    family, bits = (socket.AF_INET6, 128) if ":" in text else (socket.AF_INET, 32)
    try:
        return Address(bits, int.from_bytes(socket.inet_pton(family, text.partition("%")[0])))
    except (OSError, ValueError):
        return None


def unmapped(address: Address) -> Address:
    """An IPv4 address in IPv6 clothes is the IPv4 one."""
    if address.bits == 128 and address.number >> 32 == 0xFFFF:
        return Address(32, address.number & 0xFFFFFFFF)
    return address


class Networks:
    """Built line by line, then only read."""

    __slots__ = ("_count", "_tables", "default")

    def __init__(self) -> None:
        self._tables: dict[tuple[int, int], dict[int, tuple[int, str]]] = {}
        """By bits of the family and bits of host part: network number → (line, data)."""
        self._count = 0
        self.default: str | None = None
        """Data of the key `*`."""

    def add(self, key: str, data: str) -> None:
        """Keys that are neither a network nor `*` can never match."""
        if key == "*" and self.default is None:
            self.default = data
        found = _KEY.fullmatch(key)
        address = parse_address(found.group(1)) if found else None
        if found is None or address is None:
            return
        length = int(found.group(2)) if found.group(2) else address.bits
        host_bits = max(0, address.bits - length)
        table = self._tables.setdefault((address.bits, host_bits), {})
        table.setdefault(address.number >> host_bits, (self._count, data))
        self._count += 1

    def find(self, address: Address) -> str | None:
        best: tuple[int, str] | None = None
        for (bits, host_bits), table in self._tables.items():
            if bits == address.bits:
                found = table.get(address.number >> host_bits)
                if found is not None and (best is None or found < best):
                    best = found
        return best[1] if best else None
