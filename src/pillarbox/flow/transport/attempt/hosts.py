"""The hosts of a job, one after another, until every address is settled or no host is left (Exim 30.5, 32, 49.1.1).

A host whose retry time has not come is passed over. What a host failed with is noted at once, so that it is left alone for a
while even when another one takes the message. Addresses that one host deferred are offered to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

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
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.opening import open_session
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.telling import Telling
from pillarbox.flow.transport.attempt.transaction import Carried, Parcel, Verdict, carry
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.job import BUSY, SKIPPED, Job
from pillarbox.flow.transport.keep import Crowded
from pillarbox.flow.transport.outcomes import deferred, failed
from pillarbox.flow.transport.services import TransportServices
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome, RemoteHost
from pillarbox.mail.reply import Reason
from pillarbox.ports.hints import RetryHint
from pillarbox.wire.exim.outcome_line import NOT_CONNECTED

Pack = Callable[[Sequence[Assignment]], Parcel]
"""Makes the parcel for those addresses that are still to be carried."""


class HostRun:
    """One job on its way through its hosts."""

    __slots__ = (
        "_again",
        "_asked",
        "_began",
        "_clocks",
        "_deferred",
        "_failed",
        "_habits",
        "_is_about_message",
        "_is_crowded",
        "_job",
        "_keys",
        "_message_notes",
        "_outcomes",
        "_pack",
        "_put_by",
        "_reached",
        "_rest",
        "_services",
        "_skipped",
        "_telling",
        "_token",
        "_tried_among",
        "_was_pipelining",
    )

    def __init__(self, job: Job, pack: Pack, habits: Habits, services: TransportServices) -> None:
        self._job = job
        self._pack = pack
        self._habits = habits
        self._services = services
        self._began = services.clock.monotonic()
        self._clocks = Clocks(job, services, delays_after_cutoff=habits.delay_after_cutoff)
        self._outcomes: list[Outcome | None] = [None] * len(job.assignments)
        """What is final."""
        self._deferred: list[Deferred | None] = [None] * len(job.assignments)
        """The last deferral of what is not."""
        self._keys: list[list[str]] = [[] for _ in job.assignments]
        """Retry keys that each address depends on."""
        self._failed: list[Failed | None] = [None] * len(job.assignments)
        """The refusal of a host that would not talk at all, in case no other one does."""
        self._message_notes: dict[str, Deferred] = {}
        """What to keep of this message's own failures, should it stay: by retry key."""
        self._is_crowded = False
        """Too many wait for one of the hosts."""
        self._is_about_message = False
        """A host has put off the message, or one of its recipients."""
        self._skipped: list[tuple[str, RetryHint]] = []
        self._telling = Telling(job, habits.events, services)
        self._reached: tuple[RemoteHost, tuple[str, int]] | None = None
        """The last host that we were connected to, and our end of that."""
        self._asked: set[str] = set()
        """Retry keys of hosts that have failed in this run: one that is listed twice is asked twice."""
        self._token = object()
        """Marks sessions that this run has used."""
        self._again: frozenset[str] = frozenset()
        """Of those that are."""
        self._rest: list[int] = []
        """Whom the host has not heard of yet: it has been offered as many as it may at once."""
        self._put_by: set[int] = set()
        """Who is tried no more, although nothing is final: other hosts are for those who are at the first transaction of a connection."""
        self._tried_among: bool | None = None
        """Fallback hosts, or others: the last one tried was of those."""
        self._was_pipelining = False
        """At the host before this one."""

    async def run(self, targets: Sequence[Target]) -> list[Outcome]:
        """One outcome for each address of the job."""
        if len(targets) > 1:
            counted = Counter(target.key for target in targets)
            self._again = frozenset(key for key, count in counted.items() if count > 1)
        while True:
            await self._go_through(targets)
            unheard = self._unheard()
            if self._is_crowded or not unheard or len(unheard) == len(self._pending()):
                break
            self._put_by.update(set(self._pending()).difference(unheard))
        if not (targets and targets[-1].is_fallback):
            self._note_waiting(targets)
        return self._crowded() if self._is_crowded else self._conclude()

    async def _go_through(self, targets: Sequence[Target]) -> None:
        """The hosts in order, as far as anybody waits for one."""
        tried, tried_in_all, last_preference = 0, 0, None
        for place, target in enumerate(targets):
            hint = None if self._heeds_no_clock(target) else self._clocks.not_due(target)
            if hint is not None:
                self._skipped.append(hint)
                continue
            if tried_in_all >= self._habits.hosts_max_try_hardlimit:
                break
            is_next_mx = target.mx_preference is not None and target.mx_preference != last_preference
            if tried >= self._habits.hosts_max_try and not is_next_mx:
                continue
            if target.is_fallback and not (place and targets[place - 1].is_fallback):
                self._note_waiting(targets[:place])
            self._telling.has_next = any(
                other.is_fallback is target.is_fallback for other in targets[place + 1 :]
            )
            is_expired = self._clocks.has_expired(target)
            last_preference = target.mx_preference
            try:
                if not await self._try(target, self._pending()):
                    continue
                while self._rest:
                    await self._try(target, self._rest)
                tried_in_all += 1
                tried += 0 if is_expired else 1
            except Crowded:
                self._is_crowded = True
                return
            except Exception as fault:
                self._break_off(target, fault)
                break
            if not self._pending():
                break

    def _note_waiting(self, targets: Sequence[Target]) -> None:
        """It goes with the next message that one of the hosts takes, unless it is the message or a recipient that they do not want."""
        waiting = self._services.waiting
        if waiting is None or self._habits.connection_max_messages == 1:
            return
        if self._pending() and not self._is_about_message:
            names = (target.name for target in targets)
            waiting.note(self._job.envelope.id, self._habits.transport, names)

    def _heeds_no_clock(self, target: Target) -> bool:
        """What keeps others from a host that is listed twice does not keep us from asking again. To fall back on it is no use."""
        return self._job.is_forced or (target.key in self._asked and not target.is_fallback)

    def _pending(self) -> list[int]:
        return [
            index
            for index, outcome in enumerate(self._outcomes)
            if outcome is None and index not in self._put_by
        ]

    def _unheard(self) -> list[int]:
        """Of whom no host has heard, because what came before them was put off."""
        return [
            index for index in self._pending() if self._deferred[index] is None and not self._failed[index]
        ]

    # One host

    async def _try(self, target: Target, pending: list[int]) -> bool:
        """False: passed over, because another message has just found that the host does not work."""
        self._rest = []
        try:
            manners = await self._habits.manners_for(target)
        except (ExpansionDeferred, ExpansionFailed) as error:
            trouble = Trouble("host", str(error), error="event_close")
            await self._telling.host_troubled(trouble, target)
            self._defer(pending, trouble, target, None)
            return True
        key = self._keep_key(target, manners)
        is_forced = self._heeds_no_clock(target)
        session = await self._services.keep.take(key, is_serial=manners.is_serial, is_careful=not is_forced)
        is_in_keep = False
        try:
            if isinstance(session, Session) and session.reserved_for not in ("", self._job.envelope.id):
                await session.quit()
                session = None
            hint = self._clocks.not_due(target) if session is None and not is_forced else None
            if hint is not None:
                self._skipped.append(hint)
                return False
            is_in_keep = await self._talk(target, manners, pending, key, session)
        finally:
            if not is_in_keep:
                self._services.keep.drop(key)
        return True

    async def _talk(
        self,
        target: Target,
        manners: Manners,
        pending: list[int],
        key: Hashable,
        kept: object,
    ) -> bool:
        """Over the kept session, or a new one when there is none or it has grown stale. Whether the session went back to the keep."""
        if isinstance(kept, Session):
            is_ours = kept.carried_for is self._token
            part, carried = await self._carry(kept, manners, pending)
            if carried.trouble is None or not carried.trouble.may_be_stale or is_ours:
                return await self._end_with(kept, key, pending, part, carried)
            kept.close()
        opened = await self._open(target, manners)
        if isinstance(opened, Trouble):
            if opened.was_connected:
                self._reached = target.remote, opened.interface
            await self._take_trouble(pending, opened, target, None)
            self._services.keep.note_silence(key)
            return False
        self._services.keep.note_answer(key)
        self._reached = target.remote, opened.local_address
        part, carried = await self._carry(opened, manners, pending)
        return await self._end_with(opened, key, pending, part, carried)

    async def _end_with(
        self, session: Session, key: Hashable, pending: list[int], part: list[int], carried: Carried
    ) -> bool:
        """What the host said is drawn up, and the connection kept or closed; whether it was kept."""
        left = self._take(part, carried, session)
        rest = pending[len(part) :]
        await self._telling.before_end(session)
        is_in_keep = await self._put_away(key, session, carried)
        if carried.trouble is None:
            self._rest = rest
        elif carried.trouble.concern == "message" and self._job.most_at_once == 1:
            # Exim delivers these one by one; elsewhere what is said of the message holds for all that are left.
            is_next = session.messages > 1
            if is_next or carried.trouble.is_permanent:
                self._rest = rest
            if is_next:
                self._put_by.update(left)
            await self._take_trouble(left, carried.trouble, session.target, session)
        else:
            first = carried.verdicts[0] if part else None
            await self._take_trouble(left + rest, carried.trouble, session.target, session, first)
            if carried.trouble.recipient >= 0:
                self._note_late_recipient(part[carried.trouble.recipient])
        return is_in_keep

    async def _carry(
        self, session: Session, manners: Manners, pending: list[int]
    ) -> tuple[list[int], Carried]:
        """To as many of them as may share one transaction: by the host's wish (RFC 9422, RCPTMAX) and by ours (`max_rcpt`)."""
        limits = [limit for limit in (session.limit("RCPTMAX"), self._job.most_at_once) if limit > 0]
        part = pending[: min(limits)] if limits else pending
        parcel = self._pack([self._job.assignments[index] for index in part])
        session.carried_for = self._token
        session.has_more = len(part) < len(pending)
        session.is_last = not (session.has_more or self._habits.events or self._is_wanted(session.target))
        carried = await carry(session, parcel, manners, self._habits)
        self._was_pipelining = carried.trouble is not None and "pipelined " in carried.trouble.text
        return part, carried

    async def _open(self, target: Target, manners: Manners) -> Session | Trouble:
        """Connected, greeted, secure and logged in, as wished."""
        habits = self._habits
        if self._tried_among == target.is_fallback:
            habits = replace(habits, has_tried=True, ahead="pipelined " if self._was_pipelining else "")
        self._tried_among = target.is_fallback
        opened = await open_session(target, manners, habits, self._services.network)
        log_in = self._habits.log_in
        if log_in is None or manners.auth == "no" or isinstance(opened, Trouble):
            return opened
        trouble = await log_in(opened, manners.auth == "require")
        opened.startup += "a" if opened.authenticator else ""
        if trouble is None:
            return opened
        await opened.quit()
        return trouble

    def _keep_key(self, target: Target, manners: Manners) -> Hashable:
        habits = self._habits
        return habits.transport, habits.helo, habits.login_key, target, manners

    async def _put_away(self, key: Hashable, session: Session, carried: Carried) -> bool:
        """Keep the session for the next message, or what is left of this one, when it is in order; whether it was."""
        engine, limit = session.engine, self._habits.connection_max_messages
        is_worn = 0 < limit <= session.messages or engine.is_closed or engine.is_leaving
        is_worn = (
            is_worn or self._habits.events is not None or 0 < session.limit("MAILMAX") <= session.messages
        )
        is_worn = is_worn or (bool(self._pending()) and session.target.key in self._again)
        is_worn = is_worn or not carried.has_settled or session.is_last
        if carried.trouble is not None and carried.trouble.concern != "message":
            await session.hang_up(hears_out=carried.trouble.error == "malformed")
        elif is_worn or not engine.is_idle or engine.is_content_open:
            await session.quit(hears_out=not self._services.keeps_idle)
        else:
            follower = self._next_for(session)
            if not self._services.keeps_idle:
                session.reserved_for = follower or self._job.envelope.id
            await self._services.keep.give(key, session)
            if follower is not None and self._services.waiting is not None:
                self._services.waiting.begin(follower)
            return True
        return False

    def _is_wanted(self, target: Target) -> bool:
        """By what is left of this message for the host, or by other messages."""
        if self._services.keeps_idle or self._job.is_followed:
            return True
        waiting = self._services.waiting
        if waiting is None:
            return False
        return waiting.is_wanted(self._habits.transport, target.name, self._job.envelope.id)

    def _next_for(self, session: Session) -> str | None:
        """Who waits for this host, now that it has dealt with all of ours."""
        waiting = self._services.waiting
        if waiting is None or session.has_more or self._job.is_followed:
            return None
        return waiting.next_for(self._habits.transport, session.target.name, self._job.envelope.id)

    def _take(self, pending: list[int], carried: Carried, session: Session) -> list[int]:
        """Turn what the host said into outcomes; those left that it said nothing of."""
        target = session.target
        left: list[int] = []
        is_first = True
        for index, verdict in zip(pending, carried.verdicts, strict=True):
            if verdict is None:
                left.append(index)
                continue
            startup = startup_of(session) if index == pending[0] else ""
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
        with_sender = self._habits.retry_with_sender and not verdict.is_of_content
        sender = f":<{self._job.envelope.sender or ''}>" if with_sender else ""
        key = f"R:{assignment.address}{sender}"
        self._keys[index].append(key)
        self._is_about_message = True
        earlier = self._message_notes.get(key) if session.target.is_fallback else None
        self._message_notes[key] = earlier or deferral
        self._telling.recipient_deferred(assignment, verdict, session.target)

    def _elapsed(self) -> float:
        return self._services.clock.monotonic() - self._began

    async def _take_trouble(
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
            self._defer(indexes, trouble, target, session)
            return
        if trouble.is_permanent:
            self._fail(indexes, trouble, target, session)
            if not trouble.tries_next:
                return
        told = _as_told(trouble, first)
        await self._telling.host_troubled(told, target)
        is_about_host = trouble.concern == "host"
        self._is_about_message = self._is_about_message or not is_about_host
        key = target.key if is_about_host else self._clocks.of_message(target)
        for index in indexes:
            self._keys[index].append(key)
        self._defer(indexes, trouble, target, session)
        deferral = self._deferred[indexes[0]] if indexes else None
        if is_about_host and key in self._asked:
            return
        self._asked.add(key)
        if deferral is not None and is_about_host:
            of_first = self._job.assignments[indexes[0]]
            deferral = deferred_by(told, of_first, target, session, elapsed=self._elapsed())
            self._clocks.note(deferral, key, told.os_error)
        elif deferral is not None:
            self._message_notes[key] = noted(deferral, key, trouble.os_error)

    def _fail(self, indexes: list[int], trouble: Trouble, target: Target, session: Session | None) -> None:
        assignments = [self._job.assignments[index] for index in indexes]
        path = self._pack(assignments[:1]).mail.sender or "" if assignments else ""
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

    def _note_late_recipient(self, index: int) -> None:
        deferral = self._deferred[index]
        key = f"R:{self._job.assignments[index].address}"
        self._keys[index].append(key)
        if deferral is not None:
            self._message_notes[key] = noted(deferral, key, "Connection timed out")

    def _defer(self, indexes: list[int], trouble: Trouble, target: Target, session: Session | None) -> None:
        for index in indexes:
            if not trouble.tries_next:
                self._failed[index] = None
            self._deferred[index] = deferred_by(
                trouble, self._job.assignments[index], target, session, elapsed=self._elapsed()
            )

    def _break_off(self, target: Target, fault: Exception) -> None:
        """A fault of ours: what other hosts have taken stays taken, the rest is tried again."""
        text = f"delivery broke off: {type(fault).__name__}: {fault}"
        self._services.journal.panic(f"{self._job.envelope.id} {text}")
        self._defer(self._pending(), Trouble("host", "internal error"), target, None)

    # The end

    def _conclude(self) -> list[Outcome]:
        passed_over = [key for key, _ in self._skipped]
        outcomes: list[Outcome] = []
        pending = [index for index, outcome in enumerate(self._outcomes) if outcome is None]
        first = self._job.assignments[pending[0]].address if len(pending) > 1 else ""
        for index, outcome in enumerate(self._outcomes):
            deferral = self._deferred[index]
            failure = self._failed[index]
            if outcome is not None:
                outcomes.append(self._late(outcome, index) if self._keys[index] else outcome)
            elif failure is not None and not self._skipped:
                self._note_own(tuple(key for key in self._keys[index] if key.startswith("R:")))
                outcomes.append(failure)
            elif deferral is not None:
                keys = tuple(dict.fromkeys((*self._keys[index], *passed_over)))
                self._note_own(keys)
                if self._reached is not None and deferral.error in NOT_CONNECTED:
                    host, interface = self._reached
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

    def _crowded(self) -> list[Outcome]:
        """Too many messages wait for one of the hosts: this one comes back soon, and holds up no others meanwhile."""
        reason = Reason("too many deliveries to this host are waiting")
        return [
            outcome or deferred(self._job.assignments[index], reason, error=BUSY)
            for index, outcome in enumerate(self._outcomes)
        ]

    def _untried(self, assignment: Assignment, first: str) -> Outcome:
        """No host could be tried: wait, or give up when all have been failing for too long (Exim 32.10)."""
        domain = assignment.domain
        if not self._skipped:
            return deferred(assignment, Reason(f"no host found for {domain}"), error="lookup")
        if all(hint.is_expired for _, hint in self._skipped):
            text = f"all hosts for '{domain}' have been failing for a long time (and retry time not reached)"
            return failed(assignment, Reason(text, text))
        keys = tuple(key for key, _ in self._skipped)
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
