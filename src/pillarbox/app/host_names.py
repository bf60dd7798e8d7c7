"""Names of hosts by their addresses, for `host_lookup`: the DNS, and the names that this machine knows (Exim 14, host_lookup_order)."""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.host_names import NameOf
from pillarbox.system.dns.hosts import HostsFile


class HostNames:
    """`order`: `bydns` and `byaddr` (/etc/hosts), the first answer counts."""

    def __init__(self, services: Services, hosts: HostsFile, order: str) -> None:
        self._services = services
        self._hosts = hosts
        self._order = tuple(word.strip() for word in order.split(":") if word.strip())

    async def name_of(self, address: str) -> str:
        """Verified and in lower case; empty when there is none. Raises ExpansionDeferred when the DNS could not say."""
        trouble: ExpansionDeferred | None = None
        for way in self._order:
            try:
                name = (
                    await NameOf(address).answer(self._services) if way == "bydns" else self._known(address)
                )
            except ExpansionDeferred as error:
                trouble = error
                continue
            if name:
                return name
        if trouble is not None:
            raise trouble
        return ""

    def _known(self, address: str) -> str:
        return self._hosts.name(address)
