"""`slow_lookup_log`."""

from __future__ import annotations

from typing import cast

from tests.support.clock import JumpClock

from pillarbox.app.slow_lookups import TimedResolver, timed
from pillarbox.backends.journal.memory import MemoryJournal
from pillarbox.ports.dns import Answer, RecordType
from pillarbox.system.dns.resolver import DnsResolver


class Slow:
    def __init__(self, clock: JumpClock) -> None:
        self.clock = clock
        self.seconds = 0.0

    async def query(self, name: str, kind: RecordType) -> Answer:
        self.clock.jump(self.seconds)
        return Answer("no_data")


async def test_lookups_that_take_longer_are_told():
    clock, journal = JumpClock(), MemoryJournal()
    slow = Slow(clock)
    resolver = timed(cast(DnsResolver, slow), 500, clock, journal)
    assert isinstance(resolver, TimedResolver)
    await resolver.query("fast.example", "A")
    slow.seconds = 0.75
    assert (await resolver.query("slow.example", "MX")).status == "no_data"
    assert journal.main_lines == ["Long MX lookup for 'slow.example': 750 msec"]


def test_nothing_stands_between_where_nothing_is_wanted():
    slow = cast(DnsResolver, Slow(JumpClock()))
    assert timed(slow, 0, JumpClock(), MemoryJournal()) is slow
