"""String lists matched by wildcards and expressions, and plain lists of words that options hold (Exim 6.21, 10.2)."""

from __future__ import annotations

from pillarbox.language.match.core import MatchList, Step
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.items import Item
from pillarbox.language.match.wildcards import lookup_step, regex_step, suffix_step


class StringList(MatchList[str]):
    """Subject: any text; case counts only in regular expressions."""

    __slots__ = ()
    kind = "string"

    def key_of(self, subject: str) -> str:
        return subject.lower()

    def sublist(self, name: str) -> StringList:
        raise ListSyntaxError(f'a string list cannot hold the named list "+{name}"')

    def compile_item(self, item: Item) -> Step[str]:
        if item.text.startswith("^"):
            return regex_step(item, ignore_case=False)
        if item.text.startswith("*"):
            return suffix_step(item, fold=str.lower)
        return lookup_step(item, fold=str.lower) or self.literal_step(item.text.lower(), item)
