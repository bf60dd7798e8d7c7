"""Names of hosts by their addresses, for `host_lookup`: the DNS, and the names that this machine knows (Exim 14, host_lookup_order)."""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.host_names import FoundName, first_verified, names_by_dns
from pillarbox.system.dns.hosts import HostsFile


class HostNames:
    """`order`: `bydns` and `byaddr`, as the machine finds names (/etc/hosts, else the DNS); the first way that knows any counts."""

    def __init__(self, services: Services, hosts: HostsFile, order: str) -> None:
        self._services = services
        self._hosts = hosts
        self._order = tuple(word.strip() for word in order.split(":") if word.strip())

    async def name_of(self, address: str) -> FoundName:
        """Verified and in lower case. Raises ExpansionDeferred when the DNS could not say."""
        return await first_verified(address, await self._names(address), self._services)

    async def _names(self, address: str) -> list[str]:
        has_asked, trouble = False, None
        for way in self._order:
            if way == "byaddr" and (known := self._hosts.name(address)):
                return [known]
            if has_asked:
                continue
            has_asked = True
            try:
                if names := await names_by_dns(address, self._services):
                    return names
            except ExpansionDeferred as error:
                trouble = error
        if trouble is not None:
            raise trouble
        return []
