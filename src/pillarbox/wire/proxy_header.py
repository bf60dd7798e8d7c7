"""What a proxy says first about the client behind it: the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt; Exim 59.1).

The header is read without taking more than it: what follows belongs to the client. Fields of version 2 behind the addresses are passed over.
"""

from __future__ import annotations

import ipaddress

import msgspec

LONGEST = 107 + 2
"""Octets of a version 1 header."""
LONGEST_2 = 16 + 2048
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_TCP4, _TCP6 = 0x11, 0x21
_SIZES = {_TCP4: (4, 12), _TCP6: (16, 36)}
"""Octets of an address, and of both with their ports."""


class BadProxyHeader(Exception):
    """It is none, or one that says nothing about TCP."""


class Proxied(msgspec.Struct, frozen=True):
    """The connection between the client and the proxy. Empty addresses: the proxy speaks for itself."""

    client: str = ""
    client_port: int = 0
    server: str = ""
    server_port: int = 0
    is_own: bool = False
    """It says that it speaks for itself (LOCAL)."""


def read_proxy_header(data: bytes) -> tuple[Proxied, int] | None:
    """What it says, and how many octets it has; None: more is needed. Raises BadProxyHeader."""
    signature = _SIGNATURE[: len(data)]
    if data.startswith(signature) and (len(data) >= len(_SIGNATURE) or signature == data):
        return _read_2(data) if len(data) >= 16 else None
    if not b"PROXY".startswith(data[:5]):
        raise BadProxyHeader("no header")
    end = data.find(b"\r\n", 0, LONGEST)
    if end < 0:
        if len(data) >= LONGEST:
            raise BadProxyHeader("line too long")
        return None
    return _read_1(data[:end].decode("latin-1")), end + 2


def _read_1(line: str) -> Proxied:
    """`PROXY TCP4 192.0.2.1 192.0.2.2 4711 25`."""
    words = line.split(" ")
    if words[:2] == ["PROXY", "UNKNOWN"]:
        return Proxied()
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise BadProxyHeader("malformed")
    client, server = map(_address, words[2:4])
    return Proxied(client, _port(words[4]), server, _port(words[5]))


def _address(text: str) -> str:
    """Of whatever family: Exim does not look either."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise BadProxyHeader("no address") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535):
        raise BadProxyHeader("no port")
    return int(text)


def _read_2(data: bytes) -> tuple[Proxied, int] | None:
    kind, family, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if kind >> 4 != 2 or 16 + length > LONGEST_2:
        raise BadProxyHeader("unknown version")
    if len(data) < 16 + length:
        return None
    if kind & 15 == 0:  # LOCAL: a health check
        return Proxied(is_own=True), 16 + length
    if kind & 15 != 1 or family not in _SIZES or length < _SIZES[family][1]:
        raise BadProxyHeader("unknown command or family")
    size = _SIZES[family][0]
    rest = data[16 : 16 + length]
    client, server = (str(ipaddress.ip_address(rest[at : at + size])) for at in (0, size))
    ports = rest[2 * size : 2 * size + 4]
    return (
        Proxied(client, int.from_bytes(ports[:2], "big"), server, int.from_bytes(ports[2:], "big")),
        16 + length,
    )
