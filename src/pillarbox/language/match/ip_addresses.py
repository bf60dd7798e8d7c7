"""Addresses and networks as host lists spell and compare them (Exim 10.4.2, 10.4.3).

IPv4 mapped into IPv6 counts as IPv4 in a subject, not in an item. A zone (`%eth0`) does not count. A mask beyond the address's length is
all of it.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_MASKED = re.compile(r"([0-9A-Fa-f.:]+(?:%[^/\s]*)?)(?:/[ \t]*([0-9]{0,9}))?")


class Network(NamedTuple):
    """All addresses of one version that are `base` under `mask`."""

    version: int
    base: int
    mask: int
    is_whole: bool
    """One address only."""

    @property
    def address(self) -> IPAddress:
        """The first."""
        return (ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address)(self.base)


@lru_cache(maxsize=4096)
def parse_address(text: str) -> IPAddress | None:
    """An address; IPv4 mapped into IPv6 comes out as IPv4."""
    address = _parse(text)
    return getattr(address, "ipv4_mapped", None) or address


def parse_network(text: str) -> Network | None:
    """An address, or an address with a mask. None when the text is neither."""
    found = _MASKED.fullmatch(text)
    address = _parse(found.group(1)) if found else None
    if found is None or address is None:
        return None
    bits = address.max_prefixlen
    length = min(int(found.group(2) or bits), bits)
    mask = ((1 << length) - 1) << (bits - length)
    return Network(address.version, int(address) & mask, mask, length == bits)


def lookup_key(address: IPAddress, mask: int | None, separator: str) -> str:
    """The address, all digits written, as a key for `net-` lookups: with `mask` as its network and the mask length."""
    bits = address.max_prefixlen
    length = bits if mask is None else min(mask, bits)
    number = int(address) >> (bits - length) << (bits - length)
    if address.version == 4:
        text = str(ipaddress.IPv4Address(number))
    else:
        text = ipaddress.IPv6Address(number).exploded.replace(":", separator)
    return text if mask is None else f"{text}/{mask}"


def _parse(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
