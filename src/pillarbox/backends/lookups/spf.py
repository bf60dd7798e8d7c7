"""spf: may this address send for that domain? `${lookup {user@domain} spf {192.0.2.1}}` (Exim 58.2; RFC 7208).

The key is the sender's address, or a domain; the "file" is the address of the host. The result is pass, fail, softfail, neutral, none, permerror
or temperror; what is no address is not found. Loopback passes always, as with Exim's library.
"""

from __future__ import annotations

from ipaddress import ip_address

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.backends.spf import PySpf
from pillarbox.ports.dns import Resolver
from pillarbox.ports.lookups import Lookup, LookupDefer
from pillarbox.ports.spf import SpfWish


class Spf(SingleKey):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, resolver: Resolver | None) -> None:
        self._resolver = resolver
        self._checker = PySpf()

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        try:
            address = ip_address(source)
        except ValueError:
            return None
        if address.is_loopback:
            return "pass"
        if self._resolver is None:
            raise LookupDefer("no DNS here")
        domain = key.rpartition("@")[2]
        if not domain:
            return "none"
        sender = key if "@" in key else f"@{key}"
        wish = SpfWish(str(address), sender, domain.removesuffix("."))
        return (await self._checker.check(wish, self._resolver)).result


def make(kind: str, world: LookupWorld) -> Lookup:
    return Spf(world.resolver)
