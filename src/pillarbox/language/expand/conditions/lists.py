"""`match_domain`, `match_address`, `match_local_part`, `match_ip`: a subject against a list (Exim 11.7).

The list is taken as it stands: `$` is nothing special in it. A list that names others (`+local_domains`) is compiled when first used, with
the configuration's named lists (the facet `NamedLists`). When the list matches, `$value` is its data.

Where Exim only writes the reason to its log, and its error ends in nothing or in NULL, ours ends in the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.nodes import Condition, Node
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.host_names import HostSubject
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.ip_addresses import parse_address
from pillarbox.language.match.local_parts import LocalPartList
from pillarbox.language.match.named import NamedLists
from pillarbox.language.printing import quoted

_KINDS: dict[str, type[MatchList[Any]]] = {
    "match_domain": DomainList,
    "match_address": AddressList,
    "match_local_part": LocalPartList,
    "match_ip": HostList,
}
Find = Callable[[Scope], MatchList[Any]]


@condition(*_KINDS)
def parse_list_match(parser: Parser, name: str) -> Condition:
    at = parser.position
    subject = parser.braced(name)
    source = parser.braced_source(name, f'missing 2nd string in {{}} after "{name}"')
    find, is_pure = _finder(_KINDS[name], source)
    is_host, is_address = name == "match_ip", name == "match_address"
    text = source.constant or ""

    def test(scope: Scope) -> bool:
        wanted = subject.evaluate(scope)
        try:
            data = find(scope).match_data_now(_host(wanted) if is_host else wanted, scope)
        except ExpansionDeferred as error:
            raise ExpansionFailed(f'unable to complete match against "{text}": {error}') from None
        if is_address and wanted:
            scope.captures = []
        if data is None:
            return False
        scope.value = data
        return True

    return Condition(name, at, test, [subject, source], is_pure=is_pure)


def _host(text: str) -> HostSubject:
    if text and parse_address(text) is None:
        raise ExpansionFailed(f'"{quoted(text)}" is not an IP address')
    return HostSubject(text, is_address_only=True)


def _finder(kind: type[MatchList[Any]], source: Node) -> tuple[Find, bool]:
    text = source.constant or ""
    plain = text.replace("\\", "\\\\").replace("$", "\\$")
    if "+" not in text:
        try:
            fixed = kind.parse(plain, NamedLists())
        except ListSyntaxError as error:
            raise ExpandSyntaxError(error.message, source.position, error.suggestion) from None
        return (lambda scope: fixed), fixed.is_pure
    compiled: WeakKeyDictionary[NamedLists, MatchList[Any]] = WeakKeyDictionary()

    def find(scope: Scope) -> MatchList[Any]:
        named = scope.facet(NamedLists) or NamedLists()
        found = compiled.get(named)
        if found is None:
            try:
                found = compiled[named] = kind.parse(plain, named)
            except ListSyntaxError as error:
                raise ExpansionDeferred(error.message) from None
        return found

    return find, False
