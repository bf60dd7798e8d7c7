"""Address lists (Exim 10.20).

`user@domain` (the local part's case does not count by default), `*@domain`, `domain-only items` (any local part), `@@lookup`, `^…` on the whole
address, lookups on the whole address, and an empty item for the null sender. The part behind `@` follows the domain list rules.

Known gap: `@@` items.
"""

from __future__ import annotations

from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.core import MatchList, Step
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.items import Item
from pillarbox.language.match.wildcards import lookup_step, regex_step
from pillarbox.mail.address import split_address


class AddressList(MatchList[str]):
    """Subject: `local@domain`, or empty for the null sender."""

    __slots__ = ()
    kind = "address"

    def key_of(self, subject: str) -> str:
        return subject.lower()

    def sublist(self, name: str) -> AddressList:
        return self._named.get("address", name, AddressList.parse)

    def compile_item(self, item: Item) -> Step[str]:
        text = item.text
        if not text:
            return Step(_is_null, item.is_negated, True)
        if text.startswith("@@"):
            raise ListSyntaxError("@@ items are not supported yet", item.position)
        if text.startswith("^"):
            return regex_step(item, ignore_case=True)
        if (step := lookup_step(item, fold=str.lower)) is not None:
            return step
        if text == "*":
            return Step(_is_any, item.is_negated, True)
        return self._pattern(item)

    def _pattern(self, item: Item) -> Step[str]:
        local, at, domain = item.text.rpartition("@")
        if not at:
            local = "*"
        if local != "*" and "*" not in item.text and not domain.startswith(("+", "@")) and ";" not in domain:
            return self.literal_step(item.text.lower(), item)
        domains = DomainList.parse(
            domain.replace(":", "::").replace("\\", "\\\\").replace("$", "\\$"), self._named
        )
        wanted = local.lower()
        suffix = wanted[1:] if wanted.startswith("*") else None
        is_wild_domain = domain.startswith("*")

        def match(subject: str, scope: Scope) -> str | None:
            subject_local, subject_domain = split_address(subject)
            if not subject_domain:
                return None
            folded = subject_local.lower()
            if not (folded == wanted if suffix is None else folded.endswith(suffix)):
                return None
            if not domains.matches_now(subject_domain, scope):
                return None
            parts = [subject] if suffix is None else [subject, subject_local[: len(folded) - len(suffix)]]
            scope.captures = parts + (scope.captures[1:2] if is_wild_domain else [])
            return subject

        return Step(match, item.is_negated, domains.is_pure)


def _is_null(subject: str, scope: Scope) -> str | None:
    return "" if not subject else None


def _is_any(subject: str, scope: Scope) -> str | None:
    """Any address; the null sender is none."""
    return subject or None
