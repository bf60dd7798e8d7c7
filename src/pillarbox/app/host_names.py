"""Names of hosts by their addresses, for `host_lookup`: the DNS, and the names that this machine knows (Exim 14, host_lookup_order)."""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.host_names import NO_NAME, FoundName, first_verified, name_by_dns
from pillarbox.system.dns.hosts import HostsFile


class HostNames:
    """`order`: `bydns` and `byaddr` (/etc/hosts), the first answer counts."""

    def __init__(self, services: Services, hosts: HostsFile, order: str) -> None:
        self._services = services
        self._hosts = hosts
        self._order = tuple(word.strip() for word in order.split(":") if word.strip())

    async def name_of(self, address: str) -> FoundName:
        """Verified and in lower case. Raises ExpansionDeferred when the DNS could not say."""
        trouble: ExpansionDeferred | None = None
        found = FoundName(why=NO_NAME)
        for way in self._order:
            try:
                answer = await self._ask(way, address)
            except ExpansionDeferred as error:
                trouble = error
                continue
            if answer.name:
                return answer
            if found.why == NO_NAME:
                found = answer
        if trouble is not None:
            raise trouble
        return found

    async def _ask(self, way: str, address: str) -> FoundName:
        if way != "byaddr":
            return await name_by_dns(address, self._services)
        known = self._hosts.name(address)
        return await first_verified(address, [known] if known else [], self._services)
