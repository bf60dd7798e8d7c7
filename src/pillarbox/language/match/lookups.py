"""Items that are lookups: `lsearch;/file`, `partial-cdb;/file`, `mysql;select …` (Exim 10.3, chapter 9).

What is looked up is the data of the match, and plain even if the subject was tainted. `$0` is the key, `$1` and `$2` the wild and
the fixed part of a partial match.
"""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.lookup import Found, LookupKind, find, parse_lookup_item
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.items import Item
from pillarbox.language.match.steps import Step


def lookup_of(text: str, position: int) -> tuple[LookupKind, str] | None:
    """The type and its file or query. None when the text is no lookup. Raises ListSyntaxError."""
    try:
        return parse_lookup_item(text)
    except ExpandSyntaxError as error:
        raise ListSyntaxError(error.message, position, error.suggestion) from None


def ask(scope: Scope, kind: LookupKind, key: str, source: str) -> Found | None:
    """As `find`; what cannot be asked (a tainted file's name) leaves the list undecided."""
    try:
        return find(scope, kind, key, source)
    except ExpansionFailed as error:
        raise ExpansionDeferred(str(error)) from None


def lookup_step(item: Item, key_of: Callable[[str], str]) -> Step[str] | None:
    """By the subject as `key_of` gives it. None when the item is no lookup. Raises ListSyntaxError."""
    looked_up = lookup_of(item.text, item.position)
    if looked_up is None:
        return None
    kind, source = looked_up

    def match(subject: str, scope: Scope) -> str | None:
        key = key_of(subject)
        found = ask(scope, kind, key, source)
        if found is None:
            return None
        scope.captures = [key] if found.wild is None else [key, found.wild, found.fixed or ""]
        return found.value

    return Step(match, item.is_negated, False)
