"""SOCKS 5 as a client speaks it: what to write, and what the proxy's answers mean (RFC 1928, RFC 1929). No I/O."""

from __future__ import annotations

from ipaddress import ip_address

_VERSION = 5
_NO_LOGIN, _BY_NAME = 0, 2
_CONNECT = 1
_KINDS = {4: 1, 6: 4}
_LENGTHS = {1: 4, 4: 16}
_REASONS = (
    "succeeded",
    "general SOCKS server failure",
    "connection not allowed by ruleset",
    "Network unreachable",
    "Host unreachable",
    "Connection refused",
    "TTL expired",
    "Command not supported",
    "Address type not supported",
)


class SocksRefused(Exception):
    """The proxy will not, or is none. `str()` is for the log."""


def greeting(*, has_login: bool) -> bytes:
    return bytes((_VERSION, 1, _BY_NAME if has_login else _NO_LOGIN))


def check_method(answer: bytes, *, has_login: bool) -> None:
    """Two octets. Raises SocksRefused."""
    if answer != bytes((_VERSION, _BY_NAME if has_login else _NO_LOGIN)):
        raise SocksRefused("the proxy does not agree on a way to log in")


def login(name: str, password: str) -> bytes:
    """Raises ValueError when they are too long."""
    user, secret = name.encode(), password.encode()
    return bytes((1, len(user))) + user + bytes((len(secret),)) + secret


def check_login(answer: bytes) -> None:
    """Two octets. Raises SocksRefused."""
    if answer[1:] != b"\0":
        raise SocksRefused("the proxy refuses the login")


def connect(address: str, port: int) -> bytes:
    ip = ip_address(address)
    return bytes((_VERSION, _CONNECT, 0, _KINDS[ip.version])) + ip.packed + port.to_bytes(2, "big")


def rest_of_reply(start: bytes) -> int:
    """From its first four octets: how many follow. Raises SocksRefused."""
    version, code, _, kind = start
    if version != _VERSION:
        raise SocksRefused("the proxy does not speak SOCKS 5")
    if code:
        raise SocksRefused(_REASONS[code] if code < len(_REASONS) else f"error {code}")
    if kind not in _LENGTHS:
        raise SocksRefused("the proxy's answer cannot be read")
    return _LENGTHS[kind] + 2
