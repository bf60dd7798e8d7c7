"""Named lists: `domainlist local_domains = …`, used as `+local_domains` (Exim 10.5).

Each is compiled when first used and then shared. A list that contains itself is an error, not an endless loop.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

from pillarbox.language.match.errors import ListSyntaxError

L = TypeVar("L")
ListKind = Literal["domain", "host", "address", "localpart"]


class NamedLists:
    """The named lists of one configuration. `sources[kind][name]` is the list's text."""

    __slots__ = ("__weakref__", "_compiled", "_compiling", "sources")

    def __init__(self) -> None:
        self.sources: dict[ListKind, dict[str, str]] = {
            "domain": {},
            "host": {},
            "address": {},
            "localpart": {},
        }
        self._compiled: dict[tuple[ListKind, str], Any] = {}
        self._compiling: set[tuple[ListKind, str]] = set()

    def define(self, kind: ListKind, name: str, source: str) -> None:
        self.sources[kind][name] = source

    def get(self, kind: ListKind, name: str, compile_list: Callable[[str, NamedLists], L]) -> L:
        """The compiled list. Raises ListSyntaxError when it is unknown, bad or contains itself."""
        key = (kind, name)
        if key not in self._compiled:
            self._compiled[key] = self._compile(key, compile_list)
        found: L = self._compiled[key]
        return found

    def _compile(self, key: tuple[ListKind, str], compile_list: Callable[[str, NamedLists], L]) -> L:
        kind, name = key
        if name not in self.sources[kind]:
            close = get_close_matches(name, self.sources[kind], 1)
            hint = f" (did you mean +{close[0]}?)" if close else ""
            raise ListSyntaxError(f'unknown named {kind} list "+{name}"{hint}')
        if key in self._compiling:
            raise ListSyntaxError(f'named {kind} list "+{name}" contains itself')
        self._compiling.add(key)
        try:
            return compile_list(self.sources[kind][name], self)
        finally:
            self._compiling.discard(key)
