"""Which messages wait for which host: they go with the next one that the host takes (Exim's `wait-<transport>` hints, chapter 30).

A message that found its hosts down waits for its retry time, which may be hours away. When another message gets through to one of these hosts in
the meantime, the host is evidently back, there is a connection to it, and those who wait for it are sent at once, one after the other.

Hints: what is lost here is sent at its retry time. Of one host so many messages are known at most that a record stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from pillarbox.ports.clock import Clock
from pillarbox.ports.hint_records import HintRecord, HintRecords, RecordsBusy

MOST = 500
"""Messages that are known to wait for one host."""


def database_of(transport: str) -> str:
    return f"wait-{transport}"


class Waiting:
    """`is_there`: whether the queue still has a message. `begin`: attempts a delivery soon."""

    __slots__ = ("_begin", "_clock", "_is_there", "_records")

    def __init__(
        self,
        records: HintRecords,
        clock: Clock,
        is_there: Callable[[str], bool],
        begin: Callable[[str], None],
    ) -> None:
        self._records = records
        self._clock = clock
        self._is_there = is_there
        self._begin = begin

    def note(self, message_id: str, transport: str, hosts: Iterable[str]) -> None:
        """It waits for any of them."""
        for host in dict.fromkeys(hosts):
            with suppress(RecordsBusy):
                self._records.change(
                    database_of(transport), host, lambda known: self._with(known, message_id)
                )

    def _with(self, known: HintRecord | None, message_id: str) -> HintRecord | None:
        ids = known.text.split() if known is not None else []
        if message_id in ids or len(ids) >= MOST:
            return None
        return HintRecord(self._clock.now(), " ".join((*ids, message_id)))

    def is_wanted(self, transport: str, host: str, message_id: str) -> bool:
        """Whether others wait for the host. Those in front of them that are gone are forgotten, and `message_id`, which has got there."""
        return self._first(transport, host, message_id, is_kept=True) is not None

    def next_for(self, transport: str, host: str, message_id: str) -> str | None:
        """The first of those who wait for a host that has just dealt with `message_id`. Those that are gone are forgotten.
        The record of a host for which nobody waits stays, with nothing in it, so that tools find the data base."""
        return self._first(transport, host, message_id, is_kept=False)

    def _first(self, transport: str, host: str, message_id: str, *, is_kept: bool) -> str | None:
        database = database_of(transport)
        try:
            known = self._records.read(database, host)
            if known is None or not known.text:
                return None
            left = (one for one in known.text.split() if one != message_id)
            found = next((one for one in left if self._is_there(one)), None)
            first = (found,) if is_kept and found is not None else ()
            # The others are looked at in their turn.
            kept = HintRecord(self._clock.now(), " ".join((*first, *left)))
            if kept.text != known.text:
                self._records.change(database, host, lambda _: kept)
        except RecordsBusy:
            return None
        return found

    def begin(self, message_id: str) -> None:
        self._begin(message_id)
