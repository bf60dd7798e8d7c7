"""Host lists (Exim 10.4).

By address: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32` (colons doubled or another separator), `*`, `@[]`, `:` empty for a local message,
`net-lsearch;…`, `net24-lsearch;…`. By name, which costs DNS queries: `mail.example.org` (its addresses), `@`, `*.example.org`, `^…`
and single-key lookups (the client's verified name). Items are tried in order: an item for which a name or an address is wanted that cannot be
found ends the list without a match, unless `+ignore_unknown` or `+include_unknown` stands in front; so put addresses first.

Known gap: a host with several verified names is matched by the first of them only.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Literal

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.lookup import Default, LookupKind
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.folding import fold
from pillarbox.language.match.host_names import AddressesOf, ClientName, HostSubject, NameOf, client_name
from pillarbox.language.match.ip_addresses import (
    IPAddress,
    Network,
    lookup_key,
    parse_address,
    parse_network,
)
from pillarbox.language.match.items import Item
from pillarbox.language.match.local_host import LocalHost
from pillarbox.language.match.lookups import ask, lookup_of
from pillarbox.language.match.steps import Matcher, Modes, Step
from pillarbox.language.match.unknown_hosts import tell
from pillarbox.language.match.wildcards import regex_of, search
from pillarbox.language.printing import printable

__all__ = ["HostList", "HostSubject", "IPAddress", "parse_address"]

NO_NAMES_HERE = "cannot match host name in match_ip list"
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+){3}(?:/[0-9]*)?")
_HAS_ADDRESSES = re.compile(r"@|[0-9A-Za-z.:_-]*")
"""Any other item is compared with the client's own name, whatever it is."""
_LIKE_ADDRESS = re.compile(r"[0-9.]*|.*:.*")
"""Pieces of IPv6 addresses, mostly, in lists that colons divide: nothing is said of them."""
_NET = re.compile(r"net([0-9]*)-([^;]*;.*)", re.DOTALL)
_UNKNOWN_AND_TROUBLE = {
    "+ignore_unknown": {"unknown": "ignore"},
    "+include_unknown": {"unknown": "include"},
    "+ignore_defer": {"trouble": "ignore"},
    "+include_defer": {"trouble": "include"},
}


class _Unknown(Exception):
    """A name or an address that an item needs cannot be found; `str()` says so to the log."""


class Decided(Exception):
    """The list ends here: it matches, or does not, whatever the item's polarity."""

    def __init__(self, why: str, *, matches: bool) -> None:
        super().__init__(why)
        self.why = why
        self.matches = matches


class HostList(MatchList[HostSubject]):
    __slots__ = ()
    kind = "host"
    named_kind = "host"
    special_items = _UNKNOWN_AND_TROUBLE
    clears_captures = False

    def key_of(self, subject: HostSubject) -> str:
        """IPv4 mapped into IPv6 counts as IPv4."""
        address = subject.address
        if ":" not in address:
            return address
        parsed = parse_address(address)
        return address if parsed is None else str(parsed)

    def whole(self, steps: tuple[Step[HostSubject], ...], *, ends_negated: bool) -> Matcher[HostSubject]:
        match = super().whole(steps, ends_negated=ends_negated)
        if all(step.is_pure for step in steps):
            return match

        def until_decided(host: HostSubject, scope: Scope) -> str | None:
            try:
                return match(host, scope)
            except Decided as decided:
                return "" if decided.matches else None

        return until_decided

    def compile_item(self, item: Item, modes: Modes) -> Step[HostSubject]:
        text = item.text
        if not text:
            return Step(lambda host, scope: None if host.address else "", item.is_negated)
        if text == "*":
            return Step(lambda host, scope: "", item.is_negated)
        if text == "@[]":
            return Step(_is_local, item.is_negated)
        if (network := parse_network(text)) is not None:
            return self._in_network(network, item)
        return Step(_guarded(_by_name_or_lookup(item), modes), item.is_negated, False)

    def _in_network(self, network: Network, item: Item) -> Step[HostSubject]:
        if network.is_whole:
            step = self.literal_step(str(network.address), item)
            return step._replace(match=_without_data(step.match), data="")
        version, base, mask = network.version, network.base, network.mask

        def match(host: HostSubject, scope: Scope) -> str | None:
            address = parse_address(host.address)
            if address is None or address.version != version:
                return None
            return "" if int(address) & mask == base else None

        return Step(match, item.is_negated)


def _without_data(match: Matcher[HostSubject]) -> Matcher[HostSubject]:
    return lambda host, scope: None if match(host, scope) is None else ""


def _guarded(match: Matcher[HostSubject], modes: Modes) -> Matcher[HostSubject]:
    """Only a host with an address can match; what cannot be found out is treated as `modes` say."""

    def guarded(host: HostSubject, scope: Scope) -> str | None:
        if not host.address:
            return None
        try:
            return match(host, scope)
        except _Unknown as unknown:
            if modes.unknown == "ignore":
                return None
            is_included = modes.unknown == "include"
            tell("included" if is_included else "failed", str(unknown), scope)
            raise Decided(str(unknown), matches=is_included) from None
        except ExpansionDeferred as error:
            if modes.trouble == "defer":
                raise
            if modes.trouble == "ignore":
                return None
            raise Decided(str(error), matches=True) from None

    return guarded


def _is_local(host: HostSubject, scope: Scope) -> str | None:
    here = scope.facet(LocalHost)
    if here is None or not host.address:
        return None
    address = parse_address(host.address)
    return "" if host.address in here.addresses or str(address) in here.addresses else None


def need_of(text: str) -> Literal["", "addresses", "name"]:
    """What has to be found out for an item of a host list that is not an address itself: the client's name, or the addresses of a name."""
    if not text or text in ("*", "@[]") or text[0] in "+/" or parse_network(text) is not None:
        return ""
    if text.startswith(("*", "^")):
        return "name"
    if _NET.fullmatch(text) is not None:
        return ""
    if (looked_up := lookup_of(text, 0)) is not None:
        kind = looked_up[0]
        return "name" if kind.is_single_key and kind.name != "iplsearch" else ""
    return "name" if _HAS_ADDRESSES.fullmatch(text) is None else "addresses"


def _by_name_or_lookup(item: Item) -> Matcher[HostSubject]:
    text = item.text
    if text.startswith("*"):
        return partial(_ends_with, fold(text[1:]))
    if text.startswith("^"):
        return _by_expression(item)
    if (net := _NET.fullmatch(text)) is not None:
        return _by_net_lookup(net.group(2), item.position, int(net.group(1)[:4]) if net.group(1) else None)
    if (looked_up := lookup_of(text, item.position)) is not None:
        return _by_lookup(*looked_up)
    if _HAS_ADDRESSES.fullmatch(text) is None:
        return partial(_is_named, fold(text))
    return partial(_has_address, text)


# By the client's verified name


def _client_name(host: HostSubject, scope: Scope) -> str:
    """Raises _Unknown when there is none, also where the DNS cannot say (Exim's `+ignore_defer` is for addresses of names)."""
    if host.is_address_only:
        raise _Unknown(NO_NAMES_HERE)
    client = scope.facet(ClientName)
    try:
        if client is not None and client.address == host.address:
            name = client_name(client, scope)
        else:
            known = host.name()
            name = scope.ask(NameOf(str(host.address))).name if known is None else known
    except ExpansionDeferred:
        name = ""
    if not name:
        raise _Unknown(f"failed to find host name for {host.address}")
    return name


def _ends_with(ending: str, host: HostSubject, scope: Scope) -> str | None:
    return "" if fold(_client_name(host, scope)).endswith(ending) else None


def _is_named(name: str, host: HostSubject, scope: Scope) -> str | None:
    return "" if fold(_client_name(host, scope)) == name else None


def _by_expression(item: Item) -> Matcher[HostSubject]:
    pattern = regex_of(item, ignore_case=True)

    def match(host: HostSubject, scope: Scope) -> str | None:
        return None if search(pattern, _client_name(host, scope)) is None else ""

    return match


# By the addresses of a name


def _has_address(name: str, host: HostSubject, scope: Scope) -> str | None:
    if host.is_address_only:
        raise _Unknown(NO_NAMES_HERE)
    if _NUMBERS.fullmatch(name) is not None:
        raise _Unknown(f"malformed IPv4 address or address mask: {name}")
    if name == "@":
        here = scope.facet(LocalHost)
        name = here.primary_hostname if here else ""
    addresses = scope.ask(AddressesOf(fold(str(name)))) if name else frozenset()
    if not addresses:
        shown = str(name).removeprefix(":")
        if _LIKE_ADDRESS.fullmatch(shown) is None:
            tell("no address", shown, scope)
        raise _Unknown(f"failed to find IP address for {name}")
    return "" if host.address in addresses or str(parse_address(host.address)) in addresses else None


# By lookup


def _by_net_lookup(text: str, position: int, mask: int | None) -> Matcher[HostSubject]:
    """Neither partial matching nor defaults go with addresses."""
    found = lookup_of(text, position)
    if found is None or found[0].partial >= 0 or found[0].default is not Default.NONE:
        raise ListSyntaxError(f'unknown lookup type "{printable(text.partition(";")[0])}"', position)
    return _by_address_lookup(*found, mask)


def _by_address_lookup(kind: LookupKind, source: str, mask: int | None) -> Matcher[HostSubject]:
    separator = ":" if kind.name == "iplsearch" else "."

    def match(host: HostSubject, scope: Scope) -> str | None:
        address = parse_address(host.address)
        if address is None:
            return None
        key = lookup_key(address, mask, separator) if kind.is_single_key else ""
        found = ask(scope, kind, key, source)
        return None if found is None else found.value

    return match


def _by_lookup(kind: LookupKind, source: str) -> Matcher[HostSubject]:
    """Single-key types by the client's name, except where there is only an address; queries as they stand."""
    by_address = _by_address_lookup(kind, source, None)

    def match(host: HostSubject, scope: Scope) -> str | None:
        if host.is_address_only or not kind.is_single_key or kind.name == "iplsearch":
            return by_address(host, scope)
        found = ask(scope, kind, fold(_client_name(host, scope)), source)
        return None if found is None else found.value

    return match
