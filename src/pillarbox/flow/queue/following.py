"""An attempt of several parts, followed as its parts end: each is logged then, and what was delivered is on record.

Exim's order in the log: what ended in the routers, local deliveries one after another, remote ones as they end. A slow host must not keep the
others out of the log, and a crash while it dawdles must not repeat them: what they took is recorded before (Exim's -J file). Local deliveries
are synced first, since a record that outlives the mailbox it speaks of would lose mail.

A recipient that was redirected, or that goes to several places, is on record only when all of it has been delivered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.job import SKIPPED
from pillarbox.mail.outcome import Deferred, Delivered, Outcome
from pillarbox.mail.progress import Event, Settled
from pillarbox.ports.clock import Clock
from pillarbox.ports.userfiles import DeliveryFailure

Tell = Callable[[Outcome], None]
Record = Callable[[str, Sequence[Event]], None]


class Following:
    """Of one message's attempt. `tell` logs an outcome, `record` keeps events of a message, `sync` makes local deliveries durable."""

    __slots__ = (
        "_also",
        "_clock",
        "_delivered",
        "_id",
        "_open",
        "_record",
        "_served",
        "_sync",
        "_tell",
        "told",
    )

    def __init__(
        self,
        message_id: str,
        *,
        tell: Tell,
        record: Record,
        sync: Callable[[], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._id = message_id
        self._tell = tell
        self._record = record
        self._sync = sync
        self._clock = clock
        self._open: Counter[str] = Counter()
        """Deliveries that each name (`Outcome.names`) still waits for."""
        self._also: dict[str, tuple[str, ...]] = {}
        """Name of a delivery that other recipients share → these."""
        self._delivered: list[str] = []
        """By local transports, not yet on record."""
        self._served: list[str] = []
        """Names of what a local transport has served: not durable yet."""
        self.told: set[int] = set()
        """Identities of the outcomes that have been logged."""

    def begin(
        self, assignments: Iterable[Assignment], outcomes: Sequence[Outcome], *, tells_skipped: bool
    ) -> None:
        """`outcomes`: of what ended in the routers. `tells_skipped`: what is not due will not be tried after all."""
        for assignment in assignments:
            self._open.update({assignment.done_name, assignment.candidate.recipient.address})
            if assignment.also_for:
                self._also[assignment.done_name] = assignment.also_for
                self._open.update(assignment.also_for)
        for outcome in outcomes:
            if not isinstance(outcome, Delivered):
                self._open.update(outcome.names)
            if tells_skipped or not (isinstance(outcome, Deferred) and outcome.error == SKIPPED):
                self._note(outcome)

    def local_ended(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._delivered += self._close(outcome)
            if isinstance(outcome, Delivered):
                self._served += self._names(outcome)

    async def before_remote(self) -> None:
        """Other hosts may take their time."""
        if not self._served:
            return
        try:
            await self._sync()
        except (OSError, DeliveryFailure):  # whoever syncs at the end tells of it
            self._open.update(self._served)  # and what others take is not all of theirs
            return
        self._keep(self._delivered)
        self._delivered = []

    def remote_ended(self, outcomes: Iterable[Outcome]) -> None:
        self._keep([address for outcome in outcomes for address in self._close(outcome)])

    def _close(self, outcome: Outcome) -> list[str]:
        """What is settled by it."""
        self._note(outcome)
        if not isinstance(outcome, Delivered):
            return []
        names = self._names(outcome)
        self._open.subtract(names)
        return [name for name in dict.fromkeys(names) if not self._open[name]]

    def _names(self, outcome: Outcome) -> tuple[str, ...]:
        return outcome.names + self._also.get(outcome.names[0], ())

    def _note(self, outcome: Outcome) -> None:
        self._tell(outcome)
        self.told.add(id(outcome))

    def _keep(self, addresses: Sequence[str]) -> None:
        if addresses:
            now = self._clock.now()
            self._record(self._id, [Settled(address, now) for address in addresses])
