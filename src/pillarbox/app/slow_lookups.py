"""`slow_lookup_log`: DNS lookups that take longer are told in the log (Exim 14.4)."""

from __future__ import annotations

from pillarbox.ports.clock import Clock
from pillarbox.ports.dns import Answer, RecordType
from pillarbox.ports.journal import Journal
from pillarbox.system.dns.resolver import DnsResolver


class TimedResolver:
    """Over the process's resolver. `limit`: milliseconds."""

    def __init__(self, resolver: DnsResolver, limit: int, clock: Clock, journal: Journal) -> None:
        self._resolver = resolver
        self._limit = limit
        self._clock = clock
        self._journal = journal

    def search_list(self) -> tuple[str, ...]:
        return self._resolver.search_list()

    async def query(self, name: str, kind: RecordType) -> Answer:
        began = self._clock.monotonic()
        answer = await self._resolver.query(name, kind)
        took = int((self._clock.monotonic() - began) * 1000)
        if took > self._limit:
            self._journal.main(f"Long {kind} lookup for '{name}': {took} msec")
        return answer


def timed(resolver: DnsResolver, limit: int, clock: Clock, journal: Journal) -> DnsResolver | TimedResolver:
    """Itself where nothing is to be told."""
    return TimedResolver(resolver, limit, clock, journal) if limit > 0 else resolver
