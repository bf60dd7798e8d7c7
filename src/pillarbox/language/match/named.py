"""Named lists: `domainlist local_domains = …`, used as `+local_domains` (Exim 10.2.4).

Each is compiled when first used and then shared, once for each way of matching it (`+caseful` in front of the reference goes into it). A
list that contains itself is an error, not an endless loop (the real Exim's stack overflows).
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

from pillarbox.language.match.errors import ListSyntaxError

L = TypeVar("L")
ListKind = Literal["domain", "host", "address", "localpart"]
_Key = tuple[ListKind, str, bool]
_SPOKEN: dict[ListKind, str] = {
    "domain": "domain",
    "host": "host",
    "address": "address",
    "localpart": "local part",
}


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
        self._compiled: dict[_Key, Any] = {}
        self._compiling: set[_Key] = set()

    def define(self, kind: ListKind, name: str, source: str) -> None:
        self.sources[kind][name] = source

    def get(
        self,
        kind: ListKind,
        name: str,
        compile_list: Callable[[str, NamedLists], L],
        *,
        is_caseful: bool = False,
    ) -> L:
        """The compiled list. Raises ListSyntaxError when it is unknown, bad or contains itself."""
        key = (kind, str(name), is_caseful)
        if key not in self._compiled:
            self._compiled[key] = self._compile(key, compile_list)
        found: L = self._compiled[key]
        return found

    def _compile(self, key: _Key, compile_list: Callable[[str, NamedLists], L]) -> L:
        kind, name, _ = key
        if name not in self.sources[kind]:
            close = get_close_matches(name, self.sources[kind], 1)
            raise ListSyntaxError(
                f'unknown named {_SPOKEN[kind]} list "+{name}"',
                suggestion=f"did you mean +{close[0]}?" if close else "",
            )
        if key in self._compiling:
            raise ListSyntaxError(f'named {_SPOKEN[kind]} list "+{name}" contains itself')
        self._compiling.add(key)
        try:
            return compile_list(self.sources[kind][name], self)
        finally:
            self._compiling.discard(key)
