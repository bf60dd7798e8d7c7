"""readsock: the lookup type behind `${readsocket{…}}`; asked as a lookup it finds nothing, as in Exim.

The type is in Exim's list of types because that item is built on it there; the specification gives it no use of its own. The item has its own
code here.
"""

from __future__ import annotations

from pillarbox.backends.lookups.driver import LookupWorld, QueryStyle
from pillarbox.ports.lookups import Lookup


class Readsock(QueryStyle):
    """Implements `ports.lookups.Lookup`."""

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return None


def make(kind: str, world: LookupWorld) -> Lookup:
    return Readsock()
