"""A host as lists see it, and the questions to the DNS from an address to its verified name, from a name to its addresses, from a domain
to its mail exchangers (Exim 10.4.4, `host_lookup`).

A name counts only if one of its own addresses is the address we began with.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import msgspec

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Services

_MAX_NAMES = 8
_MAX_EXCHANGERS = 50


class HostSubject:
    """A host to match. `address` empty: a local caller. `name` gives the verified name when somebody has looked it up already
    (empty: there is none), None when nobody has. `is_address_only`: names are not asked for, lookups go by the address (match_ip)."""

    __slots__ = ("address", "is_address_only", "name")

    def __init__(
        self,
        address: str,
        name: Callable[[], str | None] = lambda: None,
        *,
        is_address_only: bool = False,
    ) -> None:
        self.address = address
        self.name = name
        self.is_address_only = is_address_only


class AddressesOf(msgspec.Struct, frozen=True, gc=False, tag=True):
    """All A and AAAA records of `name`; empty when it has none."""

    name: str

    def answer_now(self, services: Services) -> frozenset[str]:
        raise BlockingIOError

    async def answer(self, services: Services) -> frozenset[str]:
        found: set[str] = set()
        for kind in ("A", "AAAA"):
            answer = await services.resolver.query(self.name, kind)
            if answer.status == "again":
                raise ExpansionDeferred(f"lookup of {self.name} ({kind}) failed: {answer.detail}")
            found.update(record.data for record in answer.records)
        return frozenset(found)


class NameOf(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The verified name of `address`; empty when it has none."""

    address: str

    def answer_now(self, services: Services) -> str:
        raise BlockingIOError

    async def answer(self, services: Services) -> str:
        try:
            pointer = ipaddress.ip_address(self.address).reverse_pointer
        except ValueError:
            return ""
        answer = await services.resolver.query(pointer, "PTR")
        if answer.status == "again":
            raise ExpansionDeferred(f"host name lookup of {self.address} failed: {answer.detail}")
        for record in answer.records[:_MAX_NAMES]:
            if self.address in await AddressesOf(record.data.lower()).answer(services):
                return record.data.lower()
        return ""


class ExchangersOf(msgspec.Struct, frozen=True, gc=False, tag=True):
    """(preference, host) of the domain's MX records; empty when it has none."""

    domain: str

    def answer_now(self, services: Services) -> tuple[tuple[int, str], ...]:
        raise BlockingIOError

    async def answer(self, services: Services) -> tuple[tuple[int, str], ...]:
        answer = await services.resolver.query(self.domain, "MX")
        if answer.status == "again":
            raise ExpansionDeferred(f"lookup of {self.domain} (MX) failed: {answer.detail}")
        records = answer.records[:_MAX_EXCHANGERS]
        return tuple((record.preference, record.data.lower()) for record in records if record.data)
