"""The lookup types of this program, by name: the `Lookups` port.

A type is one file, found by its name here. Instances are made when first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pillarbox.backends.lookups.dsearch import Dsearch
from pillarbox.backends.lookups.lsearch import Lsearch
from pillarbox.ports.clock import Clock
from pillarbox.ports.lookups import Lookup

Factory = Callable[[Clock], Lookup]

FACTORIES: Mapping[str, Factory] = {
    "dsearch": lambda clock: Dsearch(),
    "lsearch": Lsearch,
}


class LookupTypes:
    """Implements `ports.lookups.Lookups`."""

    def __init__(self, clock: Clock, factories: Mapping[str, Factory] = FACTORIES) -> None:
        self._clock = clock
        self._factories = factories
        self._made: dict[str, Lookup] = {}

    def get(self, kind: str) -> Lookup | None:
        found = self._made.get(kind)
        if found is None and kind in self._factories:
            found = self._made[kind] = self._factories[kind](self._clock)
        return found

    def kinds(self) -> frozenset[str]:
        return frozenset(self._factories)
