"""May a query hold what it holds of outside text? (Exim 9.9: text is to be quoted by `${quote_KIND:…}`.)

Configurations that forget the quoting work with Exim, which complains in its log and asks. Here such text is let through as long as
it cannot change the query whatever it means: in SQL, printable ASCII inside a string that has neither quotes nor backslashes in
it; for LDAP and Redis, what consists of letters, digits and `@ . _ - +`. Anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pillarbox.language.expand.taint import Mixed, is_quoted_for, is_tainted

_IN_STRING = re.compile(r"[ !#-&(-\[\]-_a-~]*")
"""Neither quotes nor backslashes, nor controls."""
_WORD = re.compile(r"[0-9A-Za-z@._+-]*")
_QUOTES = re.compile(r"['\"]")
_STRANGE = re.compile(r"[\\`$#]|--|/\*")
"""In the query's own text: what a string is then depends on the server."""
_STRINGS = {"mysql": "'\"", "pgsql": "'", "sqlite": "'"}
"""What strings are quoted with. To others a double quote begins a name, of a column perhaps."""


def may_be_asked(query: str, kind: str) -> bool:
    """`kind`: whose quoting operator is to be used."""
    if not is_tainted(query) or is_quoted_for(query, kind):
        return True
    if not isinstance(query, Mixed):
        return False
    if kind in _STRINGS:
        return _is_harmless_sql(query.parts, kind)
    return all(_WORD.fullmatch(part) for part in query.parts if not is_quoted_for(part, kind))


def _is_harmless_sql(parts: Sequence[str], kind: str) -> bool:
    inside = ""
    for part in parts:
        if not is_tainted(part):
            if _STRANGE.search(part):
                return False
            inside = _quote_behind(part, inside)
        elif not is_quoted_for(part, kind) and not _is_harmless_in(inside, part, kind):
            return False
    return not inside


def _is_harmless_in(quote: str, part: str, kind: str) -> bool:
    return bool(quote) and quote in _STRINGS[kind] and _IN_STRING.fullmatch(part) is not None


def _quote_behind(text: str, inside: str) -> str:
    """The quote that is open behind `text`, where `inside` was in front of it; empty: none."""
    for found in _QUOTES.finditer(text):
        if not inside:
            inside = found[0]
        elif found[0] == inside:
            inside = ""
    return inside
