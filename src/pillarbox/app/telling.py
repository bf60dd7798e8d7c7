"""`exim -v` and `-N`: what happens is told on standard error in Exim's form; with `-N` nothing is carried anywhere (Exim 5.3)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from pillarbox.app.world import ProcessHints, ProcessJournal
from pillarbox.flow.queue.deliver import Delivery, Urgency
from pillarbox.flow.queue.runner import QueueRun, QueueRunner
from pillarbox.flow.queue.settling import Settlement
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.run import Follower, Transports
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Outcome
from pillarbox.ports.hints import RetryHint
from pillarbox.ports.journal import Event
from pillarbox.ports.spool import Queued
from pillarbox.wire.exim.message_id import leading_id

_LOGGED_ONLY = re.compile(r'( from <[^<>]*>)?( for [^"]*)?\Z')
"""What `received_sender` and `received_recipients` add is not told."""


class TellingJournal:
    """Over another one: says what it writes."""

    def __init__(self, journal: ProcessJournal) -> None:
        self._journal = journal

    def main(self, line: str) -> None:
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

    @property
    def panics(self) -> int:
        return self._journal.panics

    def debug(self, tag: str, text: str | None) -> None:
        self._journal.debug(tag, text)

    def event(self, event: Event) -> None:
        self._journal.event(event)

    def message(self, message_id: str, line: str) -> None:
        self._journal.message(message_id, line)

    def message_done(self, message_id: str) -> None:
        self._journal.message_done(message_id)

    def flush(self) -> None:
        self._journal.flush()

    def reopen(self) -> None:
        self._journal.reopen()

    def close(self) -> None:
        self._journal.close()

    def _tell(self, where: str, line: str) -> None:
        """Without the message's id, which stands in the line `delivering …`."""
        own_id = leading_id(line)
        text = line.removeprefix(f"{own_id} ") if own_id else line
        if text.startswith("<= "):
            text = _LOGGED_ONLY.sub("", text)
        print(f"LOG: {where}\n  {text}", file=sys.stderr, flush=True)


class TellingDelivery(Delivery):
    """Says which message it is at, of those that have just come."""

    __slots__ = ()

    async def attempt(self, queued: Queued, urgency: Urgency) -> Settlement:
        if urgency.is_first:
            print(f"delivering {queued.id}", file=sys.stderr, flush=True)
        return await super().attempt(queued, urgency)


class TellingRunner(QueueRunner):
    """Says which waiting message it is at, frozen ones, too."""

    __slots__ = ()

    async def attempt(self, queued: Queued, urgency: Urgency, wish: QueueRun) -> None:
        print(f"delivering {queued.id}{self.occasion}", file=sys.stderr, flush=True)
        await super().attempt(queued, urgency, wish)

    @property
    def occasion(self) -> str:
        return ""


class TellingQueueRun(TellingRunner):
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
        return self.pretend(assignments)


class UnwrittenHints:
    """What is known is read; nothing is kept of deliveries that were none (`-N`)."""

    def __init__(self, known: ProcessHints) -> None:
        self._known = known

    def retry(self, key: str) -> RetryHint | None:
        return self._known.retry(key)

    def put_retry(self, key: str, hint: RetryHint) -> None:
        """Not kept."""

    def forget_retry(self, key: str) -> None:
        """Not forgotten."""

    def tidy(self, older_than: float) -> int:
        return 0

    def close(self) -> None:
        self._known.close()
