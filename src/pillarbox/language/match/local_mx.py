"""`@mx_any`, `@mx_primary`, `@mx_secondary`: domains whose mail the DNS sends to us (Exim 10.3).

A mail exchanger is ours when it bears our name, is in `hosts_treat_as_local`, or has an address of ours. Addresses in the list behind
`/ignore=` do not count, and an exchanger without any other is left out. Primary are those with the lowest preference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.core import MatchList
from pillarbox.language.match.folding import fold
from pillarbox.language.match.host_names import AddressesOf, ExchangersOf, HostSubject
from pillarbox.language.match.items import Item
from pillarbox.language.match.local_host import LocalHost
from pillarbox.language.match.steps import Step

_ITEM = re.compile(r"@mx_(any|primary|secondary)(?:/ignore=(.*))?", re.DOTALL)


def mx_step(item: Item, host_list: Callable[[str], object]) -> Step[str] | None:
    """None when the item is no such. `host_list` compiles the addresses to ignore; it raises ListSyntaxError."""
    found = _ITEM.fullmatch(item.text)
    if found is None:
        return None
    wanted, text = found.group(1), item.text
    ignored = cast("MatchList[HostSubject]", host_list(found.group(2))) if found.group(2) else None

    def match(domain: str, scope: Scope) -> str | None:
        ours = [is_ours for _, is_ours in _exchangers(fold(domain), ignored, scope)]
        is_primary = _has_primary(_exchangers(fold(domain), ignored, scope)) if any(ours) else False
        if not any(ours) or (wanted != "any" and is_primary != (wanted == "primary")):
            return None
        scope.captures = [fold(domain)]
        return text

    return Step(match, item.is_negated, False)


def _has_primary(exchangers: list[tuple[int, bool]]) -> bool:
    lowest = min(preference for preference, _ in exchangers)
    return any(is_ours for preference, is_ours in exchangers if preference == lowest)


def _exchangers(domain: str, ignored: MatchList[HostSubject] | None, scope: Scope) -> list[tuple[int, bool]]:
    """(preference, is it us) of each that has an address."""
    here = scope.facet(LocalHost)
    if here is None:
        return []
    found: list[tuple[int, bool]] = []
    for preference, name in scope.ask(ExchangersOf(str(domain))):
        addresses = [
            address
            for address in sorted(scope.ask(AddressesOf(name)))
            if ignored is None or not ignored.matches_now(HostSubject(address, is_address_only=True), scope)
        ]
        if addresses:
            found.append((preference, _is_us(name, addresses, here, scope)))
    return found


def _is_us(name: str, addresses: list[str], here: LocalHost, scope: Scope) -> bool:
    if name == fold(here.primary_hostname) or not here.addresses.isdisjoint(addresses):
        return True
    return here.treats_as_local is not None and here.treats_as_local(name, scope)
