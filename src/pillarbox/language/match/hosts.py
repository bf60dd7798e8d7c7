"""Host lists (Exim 10.11 to 10.19).

By address: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32` (colons doubled or another separator), `*`, `@[]`, `:` empty for a local message.
By name, which costs DNS queries: `mail.example.org` (its addresses), `@`, `*.example.org` and `^…` (the client's verified
name). Addresses are matched in the order of the list like everything else: put them in front of names.

Known gaps: `net-` lookups, `+ignore_unknown`, `+include_unknown`, `+ignore_defer` (an unknown name does not match; a DNS failure defers).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache

from pillarbox.language.expand.lookup import LookupQuestion, lookup_kind
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.core import MatchList, Step
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.host_names import AddressesOf, NameOf
from pillarbox.language.match.items import Item
from pillarbox.language.match.local_host import LocalHost
from pillarbox.language.regex import RegexError, compile_regex, search

_ADDRESS = re.compile(r"[0-9.]+(?:/\d+)?|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?(?:/\d+)?")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class HostSubject:
    """A host to match. `address` empty: a local caller. `name` gives the verified name when somebody has looked it up already
    (empty: there is none), None when nobody has."""

    __slots__ = ("address", "name")

    def __init__(self, address: str, name: Callable[[], str | None] = lambda: None) -> None:
        self.address = address
        self.name = name


@lru_cache(maxsize=4096)
def parse_address(text: str) -> IPAddress | None:
    """An address; IPv4 mapped into IPv6 comes out as IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


class HostList(MatchList[HostSubject]):
    __slots__ = ()
    kind = "host"

    def key_of(self, subject: HostSubject) -> str:
        """IPv4 mapped into IPv6 counts as IPv4."""
        address = subject.address
        if ":" not in address:
            return address
        parsed = parse_address(address)
        return address if parsed is None else str(parsed)

    def sublist(self, name: str) -> HostList:
        return self._named.get("host", name, HostList.parse)

    def compile_item(self, item: Item) -> Step[HostSubject]:
        text = item.text
        if not text:
            return Step(lambda host, scope: None if host.address else "", item.is_negated, True)
        if text == "*":
            return Step(lambda host, scope: host.address, item.is_negated, True)
        if text == "@[]":
            return Step(_is_local, item.is_negated, True)
        if _ADDRESS.fullmatch(text):
            return self._by_address(item)
        if text.startswith(("^", "*")):
            return _by_client_name(item)
        if (found := lookup_kind(text)) is not None:
            return _by_lookup(item, *found)
        return _by_forward_name(item)

    def _by_address(self, item: Item) -> Step[HostSubject]:
        text = item.text.replace("[", "").replace("]", "")
        if "/" not in text:
            address = parse_address(text)
            if address is None:
                raise ListSyntaxError(f'malformed IP address "{item.text}"', item.position)
            return self.literal_step(str(address), item)
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise ListSyntaxError(f'malformed network "{item.text}": {error}', item.position) from None
        return _in_network(network, item)


def _in_network(network: IPNetwork, item: Item) -> Step[HostSubject]:
    version, mask, base = network.version, int(network.netmask), int(network.network_address)
    text = item.text

    def match(host: HostSubject, scope: Scope) -> str | None:
        address = parse_address(host.address)
        if address is None or address.version != version:
            return None
        return text if int(address) & mask == base else None

    return Step(match, item.is_negated, True)


def _is_local(host: HostSubject, scope: Scope) -> str | None:
    here = scope.facet(LocalHost)
    return host.address if here is not None and host.address in here.addresses else None


def _by_forward_name(item: Item) -> Step[HostSubject]:
    def match(host: HostSubject, scope: Scope) -> str | None:
        name = item.text
        if name == "@":
            here = scope.facet(LocalHost)
            name = here.primary_hostname if here else ""
        if not name or not host.address:
            return None
        return name if host.address in scope.ask(AddressesOf(name.lower())) else None

    return Step(match, item.is_negated, False)


def _client_name(host: HostSubject, scope: Scope) -> str:
    known = host.name()
    if known is not None:
        return known
    return scope.ask(NameOf(host.address)) if host.address else ""


def _by_client_name(item: Item) -> Step[HostSubject]:
    if item.text.startswith("*"):
        ending = item.text[1:].lower()

        def match_ending(host: HostSubject, scope: Scope) -> str | None:
            name = _client_name(host, scope).lower()
            return name if name and name.endswith(ending) else None

        return Step(match_ending, item.is_negated, False)
    try:
        pattern = compile_regex(item.text, ignore_case=True)
    except RegexError as error:
        raise ListSyntaxError(str(error), item.position) from None

    def match_pattern(host: HostSubject, scope: Scope) -> str | None:
        name = _client_name(host, scope)
        captures = search(pattern, name) if name else None
        if captures is None:
            return None
        scope.captures = captures
        return name

    return Step(match_pattern, item.is_negated, False)


def _by_lookup(item: Item, kind: str, source: str) -> Step[HostSubject]:
    by_address = kind.startswith("net")
    if by_address:
        raise ListSyntaxError("net- lookups are not supported yet", item.position)

    def match(host: HostSubject, scope: Scope) -> str | None:
        name = _client_name(host, scope)
        return scope.ask(LookupQuestion(kind, name.lower(), source)) if name else None

    return Step(match, item.is_negated, False)
