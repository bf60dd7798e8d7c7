"""Local part lists (Exim 10.6): like domain lists, without `@`. Case does not count, unless the list is `.caseful` or behind `+caseful`."""

from __future__ import annotations

from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.folding import fold, same
from pillarbox.language.match.items import Item
from pillarbox.language.match.lookups import lookup_step
from pillarbox.language.match.steps import CASEFUL, Modes, Step
from pillarbox.language.match.wildcards import regex_step, suffix_step


class LocalPartList(MatchList[str]):
    """Subject: a local part without its quotes."""

    __slots__ = ()
    kind = "local part"
    named_kind = "localpart"
    special_items = CASEFUL
    has_spaced_comments = True

    def key_of(self, subject: str) -> str:
        return subject.lower() if subject.isascii() else fold(subject)

    def exact_key_of(self, subject: str) -> str:
        return subject

    def found(self, subject: str, key: str, scope: Scope) -> None:
        scope.captures = [key]

    def compile_item(self, item: Item, modes: Modes) -> Step[str]:
        text, is_caseful = item.text, modes.is_caseful
        if text.startswith("^"):
            return regex_step(item, ignore_case=not is_caseful)
        if text.startswith("*"):
            return suffix_step(item, is_caseful=is_caseful)
        if (step := lookup_step(item, same if is_caseful else fold)) is not None:
            return step
        return self.literal_step(text if is_caseful else fold(text), item, is_caseful=is_caseful)
