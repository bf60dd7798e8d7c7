"""A host as lists see it, and the questions to the DNS from an address to its verified name, from a name to its addresses, from a domain
to its mail exchangers (Exim 10.4.4, `host_lookup`).

A name counts only if one of its own addresses is the address we began with. The client of a session has a `ClientName`: what one list or
one string finds out holds for the rest of the connection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import msgspec

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.ports.dns import HostTable

NO_NAME = "failed to find host name from IP address"
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


class FoundName(msgspec.Struct, frozen=True, gc=False):
    """`name` is verified; empty: there is none, and `why` says what is wrong."""

    name: str = ""
    why: str = ""


class NameFinder(Protocol):
    """A facet of the services: all the ways in which names are looked up here (`host_lookup_order`). Without it the DNS is the only one."""

    async def name_of(self, address: str) -> FoundName:
        """Raises ExpansionDeferred."""
        ...


class ClientName:
    """A facet of a session's scopes: what is known of its client's verified name."""

    __slots__ = ("_tell", "address", "has_failed", "helo_is_true", "is_deferred", "is_shown", "name", "why")

    def __init__(self, tell: Callable[[FoundName], None] = lambda found: None) -> None:
        """`tell` is called once, with what has been found out."""
        self.address = ""
        self.name = ""
        self.has_failed = False
        """There is none."""
        self.is_deferred = False
        """The DNS could not say."""
        self.why = ""
        self.is_shown = True
        """The log and Received: lines have the name; otherwise they will from the next HELO on, as Exim's."""
        self.helo_is_true: bool | None = None
        """Whether what it calls itself is its own name; None: nobody has asked."""
        self._tell = tell

    def follow(self, address: str, name: str) -> None:
        """Who it is has been said, perhaps with its name; empty: a program of this machine."""
        if address != self.address:
            self.name, self.has_failed, self.is_deferred = "", False, False
        self.address, self.name = address, name or self.name

    @property
    def is_known(self) -> bool:
        return bool(self.name) or self.has_failed or not self.address

    def learn(self, found: FoundName, *, is_shown: bool = True) -> None:
        if self.is_known:
            return
        self.name, self.why = found.name, found.why
        self.has_failed = not found.name
        self.is_shown = is_shown
        self._tell(found)


def client_name(client: ClientName, scope: Scope) -> str:
    """The name, looked up if nobody has yet; empty: there is none. Raises ExpansionDeferred."""
    if not client.is_known:
        try:
            client.learn(scope.ask(NameOf(client.address)))
        except ExpansionDeferred:
            client.is_deferred = True
            raise
    return client.name


class AddressesOf(msgspec.Struct, frozen=True, gc=False, tag=True):
    """All that /etc/hosts or else the A and AAAA records say of `name`; empty when there is nothing."""

    name: str

    def answer_now(self, services: Services) -> frozenset[str]:
        raise BlockingIOError

    async def answer(self, services: Services) -> frozenset[str]:
        table = services.facts.get(HostTable)
        if table is not None and (known := cast(HostTable, table).addresses(self.name)):
            return frozenset(known)
        return await addresses_by_dns(self.name, services)


async def addresses_by_dns(name: str, services: Services) -> frozenset[str]:
    """Raises ExpansionDeferred."""
    found: set[str] = set()
    for kind in ("A", "AAAA"):
        answer = await services.resolver.query(name, kind)
        if answer.status == "again":
            raise ExpansionDeferred(f"lookup of {name} ({kind}) failed: {answer.detail}")
        found.update(record.data for record in answer.records)
    return frozenset(found)


class NameOf(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The verified name of `address`."""

    address: str

    def answer_now(self, services: Services) -> FoundName:
        raise BlockingIOError

    async def answer(self, services: Services) -> FoundName:
        finder = services.facts.get(NameFinder)
        if finder is None:
            return await name_by_dns(self.address, services)
        return await cast(NameFinder, finder).name_of(self.address)


async def name_by_dns(address: str, services: Services) -> FoundName:
    """Raises ExpansionDeferred."""
    return await first_verified(address, await names_by_dns(address, services), services)


async def names_by_dns(address: str, services: Services) -> list[str]:
    """What its PTR records say, in lower case. Raises ExpansionDeferred."""
    try:
        pointer = ipaddress.ip_address(address).reverse_pointer
    except ValueError:
        return []
    answer = await services.resolver.query(pointer, "PTR")
    if answer.status == "again":
        raise ExpansionDeferred(f"host name lookup of {address} failed: {answer.detail}")
    return [record.data.lower() for record in answer.records]


async def first_verified(address: str, names: Sequence[str], services: Services) -> FoundName:
    """Only the DNS vouches for a name, wherever it comes from. Raises ExpansionDeferred."""
    for name in names[:_MAX_NAMES]:
        if address in await addresses_by_dns(name, services):
            return FoundName(name)
    return FoundName(why=f"{address} does not match any IP address for {names[0]}" if names else NO_NAME)


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
