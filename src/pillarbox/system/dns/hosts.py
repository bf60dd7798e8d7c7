"""/etc/hosts: names that this machine knows without the DNS (`ports.dns.HostTable`). Read again when it changes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from pillarbox.ports.clock import Clock

_LOOK_AGAIN_AFTER = 5.0
_MAX_FILE = 4 << 20


class HostsFile:
    """The file as a map from lower-case name to addresses in the file's order."""

    __slots__ = ("_clock", "_full_names", "_look_at", "_names", "_path", "_stamp", "_table")

    def __init__(self, clock: Clock, path: str = "/etc/hosts") -> None:
        self._clock = clock
        self._path = path
        self._look_at = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._table: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}
        self._full_names: dict[str, str] = {}

    def addresses(self, name: str) -> tuple[str, ...]:
        """Addresses of a host name (any case, no final dot); empty when the file does not have it."""
        self._keep_up()
        return self._table.get(name.lower(), ())

    def full_name(self, name: str) -> str:
        """The first name on the first line that has `name`; empty when the file does not have it."""
        self._keep_up()
        return self._full_names.get(name.lower(), "")

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
                lines = list(_lines(file.read(_MAX_FILE)))
            self._table = _by_name(lines)
            self._names = _first_names(self._table)
            self._full_names = {}
            for _, names in lines:
                for name in names:
                    self._full_names.setdefault(name, names[0])
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
    return _by_name(_lines(text))


def _by_name(lines: Iterable[tuple[str, list[str]]]) -> dict[str, tuple[str, ...]]:
    table: dict[str, list[str]] = {}
    for address, names in lines:
        for name in names:
            known = table.setdefault(name, [])
            if address not in known:
                known.append(address)
    return {name: tuple(addresses) for name, addresses in table.items()}


def _lines(text: str) -> Iterator[tuple[str, list[str]]]:
    """(address, its names in lower case)."""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        try:
            yield str(ip_address(words[0])), [word.lower().rstrip(".") for word in words[1:]]
        except ValueError:
            continue
