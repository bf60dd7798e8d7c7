"""`exim -v` and `-N`: what happens is told on standard error in Exim's form; with `-N` nothing is carried anywhere (Exim 5.3)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from pillarbox.app.world import ProcessJournal
from pillarbox.flow.queue.deliver import Delivery, Urgency
from pillarbox.flow.queue.settle import Settlement
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.outcomes import delivered
from pillarbox.flow.transport.run import Follower, Transports
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Outcome
from pillarbox.ports.journal import Event
from pillarbox.ports.spool import Queued

_DELIVERED = re.compile(r"^([0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4} )[=-]>")
_ID = re.compile(r"^[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4} ")


class TellingJournal:
    """Over another one: says what it writes."""

    def __init__(self, journal: ProcessJournal, *, is_dry: bool = False) -> None:
        """`is_dry`: nothing is delivered, and the lines say so (`*>`)."""
        self._journal = journal
        self._is_dry = is_dry

    def main(self, line: str) -> None:
        if self._is_dry:
            line = _DELIVERED.sub(r"\1*>", line)
        self._tell("MAIN", line)
        self._journal.main(line)

    def reject(self, line: str) -> None:
        self._tell("REJECT", line)
        self._journal.reject(line)

    def panic(self, line: str) -> None:
        self._tell("MAIN PANIC", line)
        self._journal.panic(line)

    def panic_only(self, line: str) -> None:
        self._tell("PANIC", line)
        self._journal.panic_only(line)

    def event(self, event: Event) -> None:
        self._journal.event(event)

    def message(self, message_id: str, line: str) -> None:
        self._journal.message(message_id, line)

    def flush(self) -> None:
        self._journal.flush()

    def reopen(self) -> None:
        self._journal.reopen()

    def close(self) -> None:
        self._journal.close()

    def _tell(self, where: str, line: str) -> None:
        """Without the message's id, which stands in the line `delivering …`."""
        print(f"LOG: {where}\n  {_ID.sub('', line)}", file=sys.stderr, flush=True)


class TellingDelivery(Delivery):
    """Says which message it is at."""

    __slots__ = ()

    async def attempt(self, queued: Queued, urgency: Urgency) -> Settlement:
        print(f"delivering {queued.id}{self.occasion}", file=sys.stderr, flush=True)
        return await super().attempt(queued, urgency)

    @property
    def occasion(self) -> str:
        return ""


class TellingQueueRun(TellingDelivery):
    """The same in a queue run."""

    __slots__ = ()

    @property
    def occasion(self) -> str:
        return f" (queue run pid {os.getpid()})"


class DryTransports(Transports):
    """Carries nothing anywhere (`-N`)."""

    async def run(
        self,
        envelope: Envelope,
        message: Message,
        assignments: Sequence[Assignment],
        *,
        is_repeat: bool,
        is_forced: bool,
        follower: Follower | None = None,
    ) -> list[Outcome]:
        """As if every transport had done its work."""
        return [delivered(one, log_word=self._word(one)) for one in assignments]

    def _word(self, assignment: Assignment) -> str:
        """Local deliveries are logged by the local part."""
        transport = self._transports.get(assignment.transport)
        return assignment.candidate.local_part if transport is not None and transport.is_local else ""
