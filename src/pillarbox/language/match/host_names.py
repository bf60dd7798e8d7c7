"""From a client's address to its verified name and from a name to its addresses, as questions to the DNS (Exim 10.13, `host_lookup`).

A name counts only if one of its own addresses is the address we began with.
"""

from __future__ import annotations

import ipaddress

import msgspec

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Services

_MAX_NAMES = 8


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
