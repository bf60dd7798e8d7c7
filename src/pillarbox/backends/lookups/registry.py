"""The lookup types of this program, by name: the `Lookups` port.

A type is one file of this folder, imported when first asked for (drivers of databases are slow to import). Its function
`make(kind, world)` gives the instance, which is kept.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import cast

import msgspec

from pillarbox.backends.lookups.driver import LookupWorld
from pillarbox.ports.dns import Resolver
from pillarbox.ports.lookups import Lookup, LookupNotOpened

FILES: Mapping[str, str] = MappingProxyType(
    {
        "dbmjz": "dbm",
        "dbmnz": "dbm",
        "iplsearch": "lsearch",
        "ldapauth": "ldap",
        "ldapdn": "ldap",
        "ldapm": "ldap",
        "nwildlsearch": "lsearch",
        "regdom": "psl",
        "wildlsearch": "lsearch",
    }
)
"""Kinds that live in the file of another."""

_OF_FILES = ("lsearch", "iplsearch", "dsearch", "passwd", "cdb", "dnsdb")
_NO_TYPES = frozenset({"driver", "registry"})


class LookupTypes:
    """Implements `ports.lookups.Lookups`."""

    def __init__(self, world: LookupWorld) -> None:
        self._world = world
        self._made: dict[str, Lookup] = {}
        self._kinds = known_kinds()

    def resolve_by(self, resolver: Resolver) -> None:
        """`dnsdb` asks that one from now on."""
        self._world = msgspec.structs.replace(self._world, checked_resolver=resolver)
        self._made.pop("dnsdb", None)

    def load(self) -> None:
        """Those of plain files, which nearly every configuration asks: a process that has run out of descriptors cannot import them."""
        for kind in _OF_FILES:
            self.get(kind)

    def get(self, kind: str) -> Lookup | None:
        found = self._made.get(kind)
        if found is None and kind in self._kinds:
            found = self._made[kind] = self._make(kind)
        return found

    def kinds(self) -> frozenset[str]:
        return self._kinds

    def _make(self, kind: str) -> Lookup:
        file = FILES.get(kind, kind)
        try:
            module = importlib.import_module(f"{__package__}.{file}")
            return cast(Lookup, module.make(kind, self._world))
        except ModuleNotFoundError as error:
            if str(error.name).startswith(str(__package__)):
                importlib.invalidate_caches()  # Python takes a folder that it cannot read for an empty one, and remembers that
                raise LookupNotOpened(f'lookup type "{kind}" cannot be loaded now') from None
            raise LookupNotOpened(
                f'lookup type "{kind}" needs the Python package {error.name}: install pillarbox[{file}]'
            ) from None


@cache
def known_kinds() -> frozenset[str]:
    package = importlib.import_module(__package__)
    files = {module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg} - _NO_TYPES
    return frozenset(files | {kind for kind, file in FILES.items() if file in files})
