"""Operators on IP addresses: `mask`, `reverse_ip`, `ipv6norm`, `ipv6denorm` (Exim 11.6)."""

from __future__ import annotations

import re
import socket

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.registry import argument_operator, operator
from pillarbox.language.printing import quoted

_MASK = re.compile(r"(.*?)/\+?([0-9]*)", re.DOTALL)
_MAPPED = bytes(10) + b"\xff\xff"


def packed_address(text: str) -> bytes | None:
    """4 or 16 bytes; None when it is no address. A zone behind `%` is ignored on IPv6."""
    if "\0" in text:
        return None
    is_v6 = ":" in text
    try:
        return socket.inet_pton(
            socket.AF_INET6 if is_v6 else socket.AF_INET, text.partition("%")[0] if is_v6 else text
        )
    except (OSError, UnicodeEncodeError):
        return None


@argument_operator("mask", untaints=True)
def mask(text: str, arguments: tuple[str, ...]) -> str:
    """`10.1.2.3/16` → `10.1.0.0/16`; IPv6 in full with dots for colons, ready to be a lookup key, or as `ipv6norm` with `_n`."""
    found = _MASK.fullmatch(text)
    address = packed_address(found.group(1) if found else text) if "%" not in text else None
    if address is None:
        raise ExpansionFailed(f'"{quoted(text)}" is not an IP address')
    if found is None:
        raise ExpansionFailed(f'missing mask value in "{text}"')
    width, bits = len(address) * 8, int(found.group(2)[:20] or "0")
    if bits > width:
        raise ExpansionFailed(f'mask value too big in "{text}"')
    kept = int.from_bytes(address) >> (width - bits) << (width - bits)
    masked = kept.to_bytes(len(address))
    if len(masked) == 4:
        return f"{socket.inet_ntoa(masked)}/{bits}"
    return f"{_normal(masked) if arguments == ('n',) else _full(masked, '.')}/{bits}"


@operator("reverse_ip")
def reverse_ip(text: str) -> str:
    """`10.1.2.3` → `3.2.1.10`, for DNS lists."""
    address = packed_address(text)
    if address is None:
        raise ExpansionFailed(f"reverse_ip() not given an IP address [{text}]")
    if len(address) == 4:
        return socket.inet_ntoa(address[::-1])
    return ".".join(reversed(address.hex()))


@operator("ipv6norm")
def ipv6_norm(text: str) -> str:
    return _normal(_as_ipv6(text))


@operator("ipv6denorm")
def ipv6_denorm(text: str) -> str:
    return _full(_as_ipv6(text), ":")


def _as_ipv6(text: str) -> bytes:
    address = packed_address(text)
    if address is None:
        raise ExpansionFailed(f'"{quoted(text)}" is not an IP address')
    return _MAPPED + address if len(address) == 4 else address


def _full(address: bytes, separator: str) -> str:
    shown = address.hex()
    return separator.join(shown[at : at + 4] for at in range(0, 32, 4))


def _normal(address: bytes) -> str:
    """The first of the longest runs of zero groups becomes `::`, a single group too; all zero is `:`, as Exim has it."""
    groups = [f"{int.from_bytes(address[at : at + 2]):x}" for at in range(0, 16, 2)]
    best, length = 0, 0
    for start in range(8):
        end = start
        while end < 8 and groups[end] == "0":
            end += 1
        if end - start > length:
            best, length = start, end - start
    if length == 8:
        return ":"
    if not length:
        return ":".join(groups)
    return ":".join(groups[:best]) + "::" + ":".join(groups[best + length :])
