"""What every lookup type is built on: the world it sees, and the defaults of the two styles (Exim chapter 9).

A type is one file of this folder with a function `make(kind, world) -> Lookup`; kinds that share a file are in the registry's table.
What several files share is in the folders below.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util

import msgspec

from pillarbox.ports.clock import Clock
from pillarbox.ports.dns import Resolver
from pillarbox.ports.lookups import LookupNotOpened, LookupSettings


class LookupWorld(msgspec.Struct, frozen=True):
    """What a lookup type may use."""

    clock: Clock
    resolver: Resolver | None = None
    """None where no DNS is to be had; then types that need one defer."""
    settings: LookupSettings = LookupSettings()
    shared: dict[str, object] = msgspec.field(default_factory=dict)
    """What the kinds of one file share (connections), by a name of the file's choice."""
    checked_resolver: Resolver | None = None
    """For `dnsdb`: with what the main options say of answers; None: `resolver`."""


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


def require(package: str) -> None:
    """Raises ModuleNotFoundError when the package is not installed, without loading it."""
    if importlib.util.find_spec(package) is None:
        raise ModuleNotFoundError(name=package)


async def load(module: str) -> None:
    """Load a module that is slow to import, in a thread. Raises LookupNotOpened when it cannot be loaded."""
    try:
        await asyncio.to_thread(importlib.import_module, module)
    except ImportError as error:
        raise LookupNotOpened(f"{module} cannot be loaded: {error}") from None
