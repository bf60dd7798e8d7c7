"""Which name servers to ask: those of the configuration, else those of /etc/resolv.conf, read again when it changes.

A server on loopback is taken for a validating resolver of ours, whose AD bit can be believed (RFC 6840 §5.8 asks for a secure
path); others only when the configuration says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from ipaddress import ip_address

import msgspec

_MAX_SERVERS = 3
"""As in the C library (MAXNS): it bounds how long one question can take."""
_MAX_SEARCH = 6
_LOOK_AGAIN_AFTER = 5.0
_MAX_FILE = 65_536


class NameServer(msgspec.Struct, frozen=True, gc=False):
    address: str
    port: int = 53
    is_trusted: bool = False
    """Its AD bit is believed."""

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return host if self.port == 53 else f"{host}:{self.port}"


def parse_server(text: str, *, is_trusted: bool = False) -> NameServer:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. Raises ValueError."""
    text = text.strip()
    port = ""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and rest[0] != ":"):
            raise ValueError(f"{text!r} is not a name server address")
        port = rest[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host = text
    number = int(port) if port.isdecimal() else 0 if port else 53
    if not 0 < number < 65_536:
        raise ValueError(f"{text!r} has no valid port")
    return NameServer(host, number, is_trusted or ip_address(host).is_loopback)


def parse_resolv_conf(text: str) -> tuple[NameServer, ...]:
    """The `nameserver` lines; one on this host when there are none (resolv.conf(5))."""
    servers: list[NameServer] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                servers.append(parse_server(words[1]))
            except ValueError:
                continue
    return tuple(servers[:_MAX_SERVERS]) or (NameServer("127.0.0.1", is_trusted=True),)


def parse_search_list(text: str) -> tuple[str, ...]:
    """The last `search` or `domain` line (resolv.conf(5)), at most six names, without final dots."""
    names: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] in ("search", "domain"):
            names = words[1:2] if words[0] == "domain" else words[1:]
    return tuple(name.rstrip(".").lower() for name in names[:_MAX_SEARCH] if name.strip("."))


class NameServers:
    """The list in force. `configured` empty: from `resolv_conf`, looked at every few seconds."""

    __slots__ = ("_configured", "_from_file", "_look_at", "_path", "_search", "_stamp")

    def __init__(self, configured: Iterable[NameServer] = (), resolv_conf: str = "/etc/resolv.conf") -> None:
        self._configured = tuple(configured)[:_MAX_SERVERS]
        self._path = resolv_conf
        self._stamp: tuple[int, int, int] | None = None
        self._from_file = parse_resolv_conf("")
        self._look_at = float("-inf")
        self._search: tuple[str, ...] = ()

    def current(self, now: float) -> tuple[NameServer, ...]:
        """`now`: monotonic seconds."""
        if self._configured:
            return self._configured
        if now >= self._look_at:
            self._look_at = now + _LOOK_AGAIN_AFTER
            self._read_if_changed()
        return self._from_file

    def search_list(self, now: float) -> tuple[str, ...]:
        """Domains that complete a name, of resolv.conf also when other servers are asked. `now`: monotonic seconds."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_AGAIN_AFTER
            self._read_if_changed()
        return self._search

    def _read_if_changed(self) -> None:
        """A file that has gone for a moment leaves the old list in force."""
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if stamp == self._stamp:
                return
            with open(self._path, encoding="utf-8", errors="replace") as file:
                text = file.read(_MAX_FILE)
            self._from_file, self._search = parse_resolv_conf(text), parse_search_list(text)
            self._stamp = stamp
        except OSError:
            return
