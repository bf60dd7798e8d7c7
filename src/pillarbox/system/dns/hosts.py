"""/etc/hosts: names that this machine knows without the DNS (`ports.dns.HostTable`). Read again when it changes."""

from __future__ import annotations

import os
from ipaddress import ip_address

from pillarbox.ports.clock import Clock

_LOOK_AGAIN_AFTER = 5.0
_MAX_FILE = 4 << 20


class HostsFile:
    """The file as a map from lower-case name to addresses in the file's order."""

    __slots__ = ("_clock", "_look_at", "_names", "_path", "_stamp", "_table")

    def __init__(self, clock: Clock, path: str = "/etc/hosts") -> None:
        self._clock = clock
        self._path = path
        self._look_at = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._table: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}

    def addresses(self, name: str) -> tuple[str, ...]:
        """Addresses of a host name (any case, no final dot); empty when the file does not have it."""
        self._keep_up()
        return self._table.get(name.lower(), ())

    def name(self, address: str) -> str:
        """The first name of an address, in lower case; empty when the file does not have it."""
        self._keep_up()
        return self._names.get(address, "")

    def _keep_up(self) -> None:
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_AGAIN_AFTER
            self._read_if_changed()

    def _read_if_changed(self) -> None:
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if stamp == self._stamp:
                return
            with open(self._path, encoding="utf-8", errors="replace") as file:
                self._table = parse_hosts(file.read(_MAX_FILE))
            self._names = _first_names(self._table)
            self._stamp = stamp
        except OSError:
            return


def _first_names(table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, addresses in table.items():
        for address in addresses:
            found.setdefault(address, name)
    return found


def parse_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """hosts(5): address, canonical name, aliases; `#` begins a comment."""
    table: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        try:
            address = str(ip_address(words[0]))
        except ValueError:
            continue
        for name in words[1:]:
            known = table.setdefault(name.lower().rstrip("."), [])
            if address not in known:
                known.append(address)
    return {name: tuple(addresses) for name, addresses in table.items()}
