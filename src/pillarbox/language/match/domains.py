"""Domain lists (Exim 10.8).

`@` (our name), `@[]` (a local address as a domain literal), `*`, `*.example.org` (ends with), `^…`, lookups, `+named`, and plain names.
Domains are compared without regard to case.

Known gap: `@mx_any`, `@mx_primary`, `@mx_secondary`, `partial-` lookups.
"""

from __future__ import annotations

from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.core import MatchList, Step
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.items import Item
from pillarbox.language.match.local_host import LocalHost
from pillarbox.language.match.wildcards import lookup_step, regex_step, suffix_step


class DomainList(MatchList[str]):
    """Subject: a domain."""

    __slots__ = ()
    kind = "domain"

    def key_of(self, subject: str) -> str:
        return subject.lower()

    def sublist(self, name: str) -> DomainList:
        return self._named.get("domain", name, DomainList.parse)

    def compile_item(self, item: Item) -> Step[str]:
        text = item.text
        if text == "@":
            return Step(_is_primary_hostname, item.is_negated, True)
        if text == "@[]":
            return Step(_is_local_literal, item.is_negated, True)
        if text.startswith("@mx_"):
            raise ListSyntaxError(f"{text} is not supported yet", item.position)
        if text.startswith("^"):
            return regex_step(item, ignore_case=True)
        if text.startswith("*"):
            return suffix_step(item, fold=str.lower)
        return lookup_step(item, fold=str.lower) or self.literal_step(text.lower(), item)


def _is_primary_hostname(domain: str, scope: Scope) -> str | None:
    host = scope.facet(LocalHost)
    if host is None or domain.lower() != host.primary_hostname.lower():
        return None
    return host.primary_hostname


def _is_local_literal(domain: str, scope: Scope) -> str | None:
    host = scope.facet(LocalHost)
    if host is None or not (domain.startswith("[") and domain.endswith("]")):
        return None
    address = domain[1:-1]
    if address[:5].lower() == "ipv6:":
        address = address[5:]
    return "@[]" if address in host.addresses else None
