"""What has become of each address of a job from host to host: what is final, what waits, what is to be noted of it (Exim 49.1.1).

Addresses are known by their place in the job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.attempt.answers import (
    deferred_by,
    failed_by,
    put_off,
    refused,
    startup_of,
    taken,
)
from pillarbox.flow.transport.attempt.clocks import Clocks, noted
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.telling import Telling
from pillarbox.flow.transport.attempt.transaction import Carried, Verdict
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.job import BUSY, SKIPPED, Job
from pillarbox.flow.transport.outcomes import deferred, failed
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome, RemoteHost
from pillarbox.mail.reply import Reason
from pillarbox.ports.clock import Clock
from pillarbox.ports.hints import RetryHint
from pillarbox.wire.exim.outcome_line import NOT_CONNECTED


class Ledger:
    """Of one job."""

    __slots__ = (
        "_began",
        "_clock",
        "_clocks",
        "_deferred",
        "_failed",
        "_job",
        "_keys",
        "_message_notes",
        "_outcomes",
        "_put_by",
        "_return_path",
        "_telling",
        "_with_sender",
        "asked",
        "is_about_message",
        "reached",
        "skipped",
    )

    def __init__(
        self,
        job: Job,
        clocks: Clocks,
        telling: Telling,
        clock: Clock,
        *,
        with_sender: bool,
        return_path: Callable[[Assignment], str],
    ) -> None:
        """`with_sender`: a recipient's retry time is kept for the sender, too. `return_path`: as the hosts hear it."""
        self._job = job
        self._clocks = clocks
        self._telling = telling
        self._clock = clock
        self._began = clock.monotonic()
        self._with_sender = with_sender
        self._return_path = return_path
        self._outcomes: list[Outcome | None] = [None] * len(job.assignments)
        """What is final."""
        self._deferred: list[Deferred | None] = [None] * len(job.assignments)
        """The last deferral of what is not."""
        self._failed: list[Failed | None] = [None] * len(job.assignments)
        """The refusal of a host that would not talk at all, in case no other one does."""
        self._keys: list[list[str]] = [[] for _ in job.assignments]
        """Retry keys that each address depends on."""
        self._message_notes: dict[str, Deferred] = {}
        """What to keep of this message's own failures, should it stay: by retry key."""
        self._put_by: set[int] = set()
        self.asked: set[str] = set()
        """Retry keys of hosts that have failed."""
        self.skipped: list[tuple[str, RetryHint]] = []
        """Hosts whose time has not come, by retry key."""
        self.reached: tuple[RemoteHost, tuple[str, int]] | None = None
        """The last host that we were connected to, and our end of that."""
        self.is_about_message = False
        """A host has put off the message, or one of its recipients."""

    def put_by(self, indexes: Iterable[int]) -> None:
        """They are tried no more, although nothing is final: other hosts are for those who are at the first transaction of a connection."""
        self._put_by.update(indexes)

    def pending(self) -> list[int]:
        return [
            index
            for index, outcome in enumerate(self._outcomes)
            if outcome is None and index not in self._put_by
        ]

    def unheard(self) -> list[int]:
        """Of whom no host has heard, because what came before them was put off."""
        return [
            index for index in self.pending() if self._deferred[index] is None and not self._failed[index]
        ]

    def take(self, part: list[int], carried: Carried, session: Session) -> list[int]:
        """Turn what the host said into outcomes; those left that it said nothing of."""
        target = session.target
        left: list[int] = []
        is_first = True
        for index, verdict in zip(part, carried.verdicts, strict=True):
            if verdict is None:
                left.append(index)
                continue
            startup = startup_of(session) if index == part[0] else ""
            self._take_verdict(index, verdict, session, carried, startup, is_additional=not is_first)
            is_first = is_first and not verdict.reply.is_completion
        if carried.trouble is None or carried.trouble.concern == "message":
            self._clocks.forget(target.key)
        if carried.trouble is None:
            self._clocks.forget(self._clocks.of_message(target))
        if carried.trouble is not None and carried.trouble.is_of_message:
            self._telling.message_deferred(carried.trouble, target)
        return left

    def _take_verdict(
        self,
        index: int,
        verdict: Verdict,
        session: Session,
        carried: Carried,
        startup: str,
        *,
        is_additional: bool,
    ) -> None:
        assignment = self._job.assignments[index]
        if verdict.reply.is_completion:
            outcome: Outcome = taken(
                assignment,
                verdict,
                session,
                carried,
                startup=startup,
                is_additional=is_additional,
                elapsed=self._elapsed(),
            )
            self._outcomes[index] = self._telling.announced(assignment, outcome, session)
        elif verdict.reply.is_permanent:
            outcome = refused(assignment, verdict, session, carried, startup=startup)
            self._outcomes[index] = self._telling.announced(assignment, outcome, session)
        else:
            self._put_off(index, verdict, session)

    def _put_off(self, index: int, verdict: Verdict, session: Session) -> None:
        """It has a retry time of its own, with the sender where the transport's options say so."""
        assignment = self._job.assignments[index]
        deferral = self._deferred[index] = put_off(assignment, verdict, session, elapsed=self._elapsed())
        with_sender = self._with_sender and not verdict.is_of_content
        sender = f":<{self._job.envelope.sender or ''}>" if with_sender else ""
        key = f"R:{assignment.address}{sender}"
        self._keys[index].append(key)
        self.is_about_message = True
        earlier = self._message_notes.get(key) if session.target.is_fallback else None
        self._message_notes[key] = earlier or deferral
        self._telling.recipient_deferred(assignment, verdict, session.target)

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    async def take_trouble(
        self,
        indexes: list[int],
        trouble: Trouble,
        target: Target,
        session: Session | None,
        first: Verdict | None = None,
    ) -> None:
        """Final for all addresses when the host said so of the message for good; otherwise the next host may do better. `first`: what the
        host has said of the first recipient; that is what is told of the host, as in Exim."""
        if trouble.concern == "recipient":
            self.defer(indexes, trouble, target, session)
            return
        if trouble.is_permanent:
            self._fail(indexes, trouble, target, session)
            if not trouble.tries_next:
                return
        told = _as_told(trouble, first)
        await self._telling.host_troubled(told, target)
        is_about_host = trouble.concern == "host"
        self.is_about_message = self.is_about_message or not is_about_host
        key = target.key if is_about_host else self._clocks.of_message(target)
        for index in indexes:
            self._keys[index].append(key)
        self.defer(indexes, trouble, target, session)
        deferral = self._deferred[indexes[0]] if indexes else None
        if is_about_host and key in self.asked:
            return
        self.asked.add(key)
        if deferral is not None and is_about_host:
            of_first = self._job.assignments[indexes[0]]
            deferral = deferred_by(told, of_first, target, session, elapsed=self._elapsed())
            self._clocks.note(deferral, key, told.os_error)
        elif deferral is not None:
            self._message_notes[key] = noted(deferral, key, trouble.os_error)

    def _fail(self, indexes: list[int], trouble: Trouble, target: Target, session: Session | None) -> None:
        assignments = [self._job.assignments[index] for index in indexes]
        path = self._return_path(assignments[0]) if assignments else ""
        startup = startup_of(session) if session else trouble.startup
        for place, (index, assignment) in enumerate(zip(indexes, assignments, strict=True)):
            failure = failed_by(
                trouble,
                assignment,
                target,
                session,
                return_path=path,
                startup="" if place else startup,
            )
            if trouble.tries_next:
                self._failed[index] = failure
            else:
                self._outcomes[index] = failure

    def note_late_recipient(self, index: int) -> None:
        deferral = self._deferred[index]
        key = f"R:{self._job.assignments[index].address}"
        self._keys[index].append(key)
        if deferral is not None:
            self._message_notes[key] = noted(deferral, key, "Connection timed out")

    def defer(self, indexes: list[int], trouble: Trouble, target: Target, session: Session | None) -> None:
        for index in indexes:
            if not trouble.tries_next:
                self._failed[index] = None
            self._deferred[index] = deferred_by(
                trouble, self._job.assignments[index], target, session, elapsed=self._elapsed()
            )

    def conclude(self) -> list[Outcome]:
        passed_over = [key for key, _ in self.skipped]
        outcomes: list[Outcome] = []
        pending = [index for index, outcome in enumerate(self._outcomes) if outcome is None]
        first = self._job.assignments[pending[0]].address if len(pending) > 1 else ""
        for index, outcome in enumerate(self._outcomes):
            deferral = self._deferred[index]
            failure = self._failed[index]
            if outcome is not None:
                outcomes.append(self._late(outcome, index) if self._keys[index] else outcome)
            elif failure is not None and not self.skipped:
                self._note_own(tuple(key for key in self._keys[index] if key.startswith("R:")))
                outcomes.append(failure)
            elif deferral is not None:
                keys = tuple(dict.fromkeys((*self._keys[index], *passed_over)))
                self._note_own(keys)
                if self.reached is not None and deferral.error in NOT_CONNECTED:
                    host, interface = self.reached
                    deferral = replace(deferral, reached=host, interface=interface)
                has_own_clock = all(key.startswith("R:") for key in keys)
                outcomes.append(replace(deferral, retry_keys=keys, first="" if has_own_clock else first))
            else:
                outcomes.append(self._untried(self._job.assignments[index], first))
        return outcomes

    def _late(self, outcome: Outcome, index: int) -> Outcome:
        """Settled by a host behind others: that one of them has put the recipient off is remembered, as Exim does."""
        own = tuple(key for key in self._keys[index] if key.startswith("R:"))
        self._note_own(own)
        return replace(outcome, is_late=True) if own and isinstance(outcome, Delivered) else outcome

    def _note_own(self, keys: tuple[str, ...]) -> None:
        """The message stays: what failed about it, or about a recipient, is kept in the host's words."""
        for key in keys:
            deferral = self._message_notes.pop(key, None)
            if deferral is not None:
                self._clocks.note(deferral, key, "" if deferral.host else deferral.reason.log)

    def crowded(self) -> list[Outcome]:
        """Too many messages wait for one of the hosts: this one comes back soon, and holds up no others meanwhile."""
        reason = Reason("too many deliveries to this host are waiting")
        return [
            outcome or deferred(self._job.assignments[index], reason, error=BUSY)
            for index, outcome in enumerate(self._outcomes)
        ]

    def _untried(self, assignment: Assignment, first: str) -> Outcome:
        """No host could be tried: wait, or give up when all have been failing for too long (Exim 32.10)."""
        domain = assignment.domain
        if not self.skipped:
            return deferred(assignment, Reason(f"no host found for {domain}"), error="lookup")
        if all(hint.is_expired for _, hint in self.skipped):
            text = f"all hosts for '{domain}' have been failing for a long time (and retry time not reached)"
            return failed(assignment, Reason(text, text))
        keys = tuple(key for key, _ in self.skipped)
        reason = Reason(f"retry time not reached for any host for '{domain}'")
        return replace(deferred(assignment, reason, error=SKIPPED, retry_keys=keys), first=first)


def _as_told(trouble: Trouble, first: Verdict | None) -> Trouble:
    """What is told of a host that has failed: what it said of the first recipient, if that was a refusal, as Exim does."""
    if trouble.concern != "host" or first is None or first.reply.is_completion:
        return trouble
    is_transient = first.reply.is_transient
    return replace(
        trouble,
        text=first.text,
        reply=first.reply,
        error=first.error if is_transient else "",
        error_detail=str(first.reply.code) if is_transient else "",
        os_error="",
    )
