"""Domain lists (Exim 10.3).

`@` (our name), `@[]` (a local address as a domain literal), `@mx_any` and its kin, `*`, `*.example.org` (ends with), `^…`, lookups,
`+named`, and plain names. Domains are compared without regard to case.
"""

from __future__ import annotations

from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.folding import fold
from pillarbox.language.match.items import Item
from pillarbox.language.match.local_host import LocalHost
from pillarbox.language.match.local_mx import mx_step
from pillarbox.language.match.lookups import lookup_step
from pillarbox.language.match.steps import Modes, Step
from pillarbox.language.match.wildcards import regex_step, suffix_step


class DomainList(MatchList[str]):
    """Subject: a domain. `+caseful` is only for the domains of address lists."""

    __slots__ = ()
    kind = "domain"
    named_kind = "domain"

    def key_of(self, subject: str) -> str:
        return subject.lower() if subject.isascii() else fold(subject)

    def exact_key_of(self, subject: str) -> str:
        return subject

    def found(self, subject: str, key: str, scope: Scope) -> None:
        scope.captures = [key]

    def compile_item(self, item: Item, modes: Modes) -> Step[str]:
        text = item.text
        if text == "@":
            return Step(_is_primary_hostname, item.is_negated)
        if text == "@[]":
            return Step(_is_local_literal, item.is_negated)
        if text.startswith("@mx_") and (step := mx_step(item, _ignored)) is not None:
            return step
        if text.startswith("^"):
            return regex_step(item, ignore_case=not modes.is_caseful)
        if text.startswith("*"):
            return suffix_step(item, is_caseful=modes.is_caseful)
        if (step := lookup_step(item, fold)) is not None:
            return step
        literal = text if modes.is_caseful else fold(text)
        return self.literal_step(literal, item, is_caseful=modes.is_caseful)


def _ignored(addresses: str) -> object:
    """The host list behind `/ignore=`."""
    from pillarbox.language.match.hosts import HostList
    from pillarbox.language.match.named import NamedLists

    return HostList(addresses, NamedLists())


def _is_primary_hostname(domain: str, scope: Scope) -> str | None:
    host = scope.facet(LocalHost)
    if host is None or len(domain) != len(host.primary_hostname):
        return None  # most often: folding changes no length
    if fold(domain) != fold(host.primary_hostname):
        return None
    scope.captures = [fold(domain)]
    return host.primary_hostname


def _is_local_literal(domain: str, scope: Scope) -> str | None:
    """The address as our interfaces have it, no other spelling; unlike Exim also behind the `IPv6:` that RFC 5321 wants."""
    host = scope.facet(LocalHost)
    if host is None or not (domain.startswith("[") and domain.endswith("]")):
        return None
    address = domain[6:-1] if domain[1:6].lower() == "ipv6:" else domain[1:-1]
    if address not in host.addresses:
        return None
    scope.captures = [domain]
    return "@[]"
