"""Operators on mail and IP addresses: `address`, `local_part`, `domain`, `mask`, `reverse_ip` (Exim 11.6)."""

from __future__ import annotations

import ipaddress
import re
from email.utils import parseaddr

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.registry import operator
from pillarbox.mail.address import split_address

_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)")
_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"])*')


@operator("address")
def address(text: str) -> str:
    """The working part of an RFC 5322 address; empty when there is none."""
    stripped = text.strip()
    if "<" in stripped:
        return parseaddr(stripped)[1]
    bare = _COMMENT.sub("", stripped).strip()
    return bare if _WORD.fullmatch(bare) else ""


@operator("local_part")
def local_part(text: str) -> str:
    found = address(text)
    return split_address(found)[0]


@operator("domain")
def domain(text: str) -> str:
    return split_address(address(text))[1]


@operator("mask")
def mask(text: str) -> str:
    """`10.1.2.3/16` → `10.1.0.0/16`; IPv6 is written in full with dots for colons, ready to be a lookup key."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ExpansionFailed(f'"{text[:80]}" is not an IP address') from None
    if "/" not in text:
        raise ExpansionFailed(f'missing mask value in "{text[:80]}"')
    if network.version == 6:
        return network.network_address.exploded.replace(":", ".") + f"/{network.prefixlen}"
    return str(network)


@operator("reverse_ip")
def reverse_ip(text: str) -> str:
    """`10.1.2.3` → `3.2.1.10`, for DNS lists."""
    try:
        pointer = ipaddress.ip_address(text.strip()).reverse_pointer
    except ValueError:
        raise ExpansionFailed(f'"{text[:80]}" is not an IP address') from None
    return pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
