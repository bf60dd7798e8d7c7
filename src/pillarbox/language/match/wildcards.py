"""Items that lists of names have in common: regular expressions and a leading `*` (Exim 10.3)."""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.folding import fold, same
from pillarbox.language.match.items import Item
from pillarbox.language.match.steps import Step
from pillarbox.language.regex import Regex, RegexError, compile_regex


def regex_step(item: Item, *, ignore_case: bool) -> Step[str]:
    """`^…`: `$0` is the subject as it is, the groups are `$1 …`."""
    text, pattern = item.text, regex_of(item, ignore_case=ignore_case)

    def match(subject: str, scope: Scope) -> str | None:
        captures = search(pattern, subject)
        if captures is None:
            return None
        scope.captures = [subject, *captures[1:]]
        return text

    return Step(match, item.is_negated)


def regex_of(item: Item, *, ignore_case: bool) -> Regex:
    """Raises ListSyntaxError."""
    try:
        return compile_regex(item.text, ignore_case=ignore_case)
    except RegexError as error:
        raise ListSyntaxError(str(error), item.position) from None


def search(pattern: Regex, subject: str) -> list[str] | None:
    """As `Regex.search`; a limit that is hit means that the list cannot be said to match or not."""
    try:
        return pattern.search(subject)
    except RegexError as error:
        raise ExpansionDeferred(str(error)) from None


def suffix_step(item: Item, *, is_caseful: bool = False) -> Step[str]:
    """`*.example.org`, `*x`, `*`: ends with. `$0` is the whole, `$1` what the asterisk stood for."""
    text, folded_by = item.text, same if is_caseful else fold
    ending = str(folded_by(text[1:]))
    length = len(ending)

    def match(subject: str, scope: Scope) -> str | None:
        folded = folded_by(subject)
        if not folded.endswith(ending):
            return None
        scope.captures = [folded, folded[: len(folded) - length]]
        return text

    return Step(match, item.is_negated)
