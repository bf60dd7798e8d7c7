"""Local part lists (Exim 10.21): like domain lists, without `@`. The router decides whether case counts by what it passes in."""

from __future__ import annotations

from pillarbox.language.match.core import MatchList, Step
from pillarbox.language.match.items import Item
from pillarbox.language.match.wildcards import lookup_step, regex_step, suffix_step


class LocalPartList(MatchList[str]):
    """Subject: a local part without its quotes."""

    __slots__ = ()
    kind = "local part"

    def key_of(self, subject: str) -> str:
        return subject.lower()

    def sublist(self, name: str) -> LocalPartList:
        return self._named.get("localpart", name, LocalPartList.parse)

    def compile_item(self, item: Item) -> Step[str]:
        if item.text.startswith("^"):
            return regex_step(item, ignore_case=True)
        if item.text.startswith("*"):
            return suffix_step(item, fold=str.lower)
        return lookup_step(item, fold=str.lower) or self.literal_step(item.text.lower(), item)
