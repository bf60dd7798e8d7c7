"""What every lookup type is built on: the world it sees, and the defaults of the two styles (Exim chapter 9).

A type is one file of this folder with a function `make(kind, world) -> Lookup`; kinds that share a file are in the registry's table.
What several files share is in the folders below.
"""

from __future__ import annotations

import msgspec

from pillarbox.ports.clock import Clock
from pillarbox.ports.dns import Resolver
from pillarbox.ports.lookups import LookupSettings


class LookupWorld(msgspec.Struct, frozen=True):
    """What a lookup type may use."""

    clock: Clock
    resolver: Resolver | None = None
    """None where no DNS is to be had; then types that need one defer."""
    settings: LookupSettings = LookupSettings()
    shared: dict[str, object] = msgspec.field(default_factory=dict)
    """What the kinds of one file share (connections), by a name of the file's choice."""


class SingleKey:
    """Base of `key` in `file` types. Implements `ports.lookups.Lookup` for subclasses that give `find_now` or `find`."""

    @property
    def is_query_style(self) -> bool:
        return False

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        raise BlockingIOError

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return self.find_now(key, source, options)

    def quote(self, text: str, option: str) -> str | None:
        return None if option else text


class QueryStyle(SingleKey):
    """Base of query types; by default text is quoted by leaving it alone, as Exim does for types without special characters."""

    @property
    def is_query_style(self) -> bool:
        return True
