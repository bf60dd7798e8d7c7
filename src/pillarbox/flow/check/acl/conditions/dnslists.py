"""`dnslists` (Exim 44.18): the sending host's address is in a list that the DNS publishes.

`zone` or `zone=127.0.0.2,127.0.0.4` (only these answers count). An answer outside 127.0.0.0/8 is no answer, as is a query that fails. Known
gaps: keys (`zone/…`), masks (`&`), `==`, negated tests (`!=`), `+include_unknown` and its kin: refused when the configuration is loaded.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Self

import msgspec

from pillarbox.flow.check.acl.condition import AclSyntaxError, Condition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.expand.registry import variable
from pillarbox.language.match.items import split
from pillarbox.language.match.named import NamedLists

_ITEM = re.compile(r"([A-Za-z0-9._-]+)(?:=([0-9.,]+))?")
MAX_LISTS = 50


class Listing(msgspec.Struct, frozen=True):
    """Facet: where the host was found."""

    domain: str
    value: str
    text: str


@variable("dnslist_domain", Listing, doc="The DNS list that the host was found in.")
def dnslist_domain(listing: Listing) -> str:
    return listing.domain


@variable("dnslist_value", Listing, doc="The address that the DNS list answered.")
def dnslist_value(listing: Listing) -> str:
    return listing.value


@variable("dnslist_text", Listing, doc="What the DNS list's TXT record says.")
def dnslist_text(listing: Listing) -> str:
    return listing.text


class DnsLists(Condition, condition="dnslists"):
    __slots__ = ("_zones",)

    def __init__(self, zones: tuple[tuple[str, frozenset[str]], ...]) -> None:
        self._zones = zones
        """(domain, answers that count; empty: every one)."""

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        zones = []
        for item, _ in split(text):
            found = _ITEM.fullmatch(item.strip())
            if found is None:
                raise AclSyntaxError(
                    f"dnslists item {item.strip()!r} is not supported yet: a domain, or domain=address,…, is"
                )
            wanted = frozenset((found.group(2) or "").split(",")) - {""}
            zones.append((found.group(1), wanted))
        if not zones or len(zones) > MAX_LISTS:
            raise AclSyntaxError(f"dnslists needs 1 to {MAX_LISTS} domains")
        return cls(tuple(zones))

    async def holds(self, state: AclState) -> bool:
        reversed_address = _reversed(state.connection.host_address)
        if not reversed_address:
            return False
        resolver = state.scope.services.resolver
        for zone, wanted in self._zones:
            name = f"{reversed_address}.{zone}"
            answer = await resolver.query(name, "A")
            values = [r.data for r in answer.records if r.data.startswith("127.")]
            hits = [value for value in values if not wanted or value in wanted]
            if hits:
                texts = await resolver.query(name, "TXT")
                text = texts.records[0].data if texts.records else ""
                state.scope = state.scope.with_facet(Listing, Listing(zone, ", ".join(hits), text))
                return True
        return False


def _reversed(address: str) -> str:
    """`192.0.2.7` → `7.2.0.192`; nibbles for IPv6."""
    try:
        pointer = ipaddress.ip_address(address).reverse_pointer
    except ValueError:
        return ""
    return pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
