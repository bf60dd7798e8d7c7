"""Items that lists of names have in common: regular expressions, lookups, leading `*` (Exim 10.8)."""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.language.expand.lookup import LookupQuestion, lookup_kind
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.core import Step
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.items import Item
from pillarbox.language.regex import RegexError, compile_regex, search


def regex_step(item: Item, *, ignore_case: bool) -> Step[str]:
    """`^…`: captures go to `$0 $1 …`."""
    text = item.text
    try:
        pattern = compile_regex(item.text, ignore_case=ignore_case)
    except RegexError as error:
        raise ListSyntaxError(str(error), item.position) from None

    def match(subject: str, scope: Scope) -> str | None:
        captures = search(pattern, subject)
        if captures is None:
            return None
        scope.captures = captures
        return text

    return Step(match, item.is_negated, True)


def suffix_step(item: Item, *, fold: Callable[[str], str]) -> Step[str]:
    """`*.example.org`, `*x`, `*`: ends with. `$0` is the whole, `$1` what the asterisk stood for."""
    ending, text = fold(item.text[1:]), item.text

    def match(subject: str, scope: Scope) -> str | None:
        folded = fold(subject)
        if not folded.endswith(ending):
            return None
        scope.captures = [folded, folded[: len(folded) - len(ending)]]
        return text

    return Step(match, item.is_negated, True)


def lookup_step(item: Item, *, fold: Callable[[str], str]) -> Step[str] | None:
    """`lsearch;/file`: the looked-up text is the data. None when the item is no lookup."""
    found = lookup_kind(item.text)
    if found is None:
        return None
    kind, source = found

    def match(subject: str, scope: Scope) -> str | None:
        return scope.ask(LookupQuestion(kind, fold(subject), source))

    return Step(match, item.is_negated, False)
