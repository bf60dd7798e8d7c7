"""A lookup as something an expansion or a list asks: `${lookup{k}lsearch{f}}`, `lsearch;f` in a list (Exim 9.3, 10.3)."""

from __future__ import annotations

import re

import msgspec

from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Services
from pillarbox.ports.lookups import Lookup, LookupDefer

_LOOKUP = re.compile(r"([a-z][a-z0-9]*)\s*(?:,[^;]*)?;\s*(.*)", re.DOTALL)


class LookupQuestion(msgspec.Struct, frozen=True, gc=False):
    """Find `key` in `source` by the lookup type `kind`; query style has the query as key and an empty source."""

    kind: str
    key: str
    source: str = ""

    def answer_now(self, services: Services) -> str | None:
        try:
            return self._lookup(services).find_now(self.key, self.source)
        except LookupDefer as defer:
            raise ExpansionDeferred(str(defer)) from None

    async def answer(self, services: Services) -> str | None:
        try:
            return await self._lookup(services).find(self.key, self.source)
        except LookupDefer as defer:
            raise ExpansionDeferred(str(defer)) from None

    def _lookup(self, services: Services) -> Lookup:
        lookup = services.lookups.get(self.kind)
        if lookup is None:
            raise ExpansionFailed(f'unknown lookup type "{self.kind}"')
        return lookup


def lookup_kind(text: str) -> tuple[str, str] | None:
    """`("lsearch", "/file")` when the item's text is a lookup."""
    found = _LOOKUP.fullmatch(text)
    return (found.group(1), found.group(2).strip()) if found else None
