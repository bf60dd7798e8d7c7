"""String lists matched by wildcards and expressions: `authenticated`, `encrypted` (Exim 6.20, 10.2). `+name` means nothing in them."""

from __future__ import annotations

from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.folding import fold
from pillarbox.language.match.items import Item
from pillarbox.language.match.lookups import lookup_step
from pillarbox.language.match.steps import Modes, Step
from pillarbox.language.match.wildcards import regex_step, suffix_step


class StringList(MatchList[str]):
    """Subject: any text; case counts only in regular expressions."""

    __slots__ = ()
    kind = "string"

    def key_of(self, subject: str) -> str:
        return fold(subject)

    def found(self, subject: str, key: str, scope: Scope) -> None:
        scope.captures = [key]

    def compile_item(self, item: Item, modes: Modes) -> Step[str]:
        if item.text.startswith("^"):
            return regex_step(item, ignore_case=False)
        if item.text.startswith("*"):
            return suffix_step(item)
        return lookup_step(item, fold) or self.literal_step(fold(item.text), item)
