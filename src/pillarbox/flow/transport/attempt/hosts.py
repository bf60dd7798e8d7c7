"""The hosts of a job, one after another, until every address is settled or no host is left (Exim 30.5, 32, 49.1.1).

A host whose retry time has not come is passed over. What a host failed with is noted at once, so that it is left alone for a
while even when another one takes the message. Addresses that one host deferred are offered to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from msgspec.structs import replace

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.attempt.clocks import Clocks
from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.ledger import Ledger
from pillarbox.flow.transport.attempt.opening import open_session
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.telling import Telling
from pillarbox.flow.transport.attempt.transaction import Carried, Parcel, carry
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.keep import Crowded
from pillarbox.flow.transport.services import TransportServices
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.mail.outcome import Outcome

Pack = Callable[[Sequence[Assignment]], Parcel]
"""Makes the parcel for those addresses that are still to be carried."""


class HostRun:
    """One job on its way through its hosts."""

    __slots__ = (
        "_again",
        "_clocks",
        "_habits",
        "_is_crowded",
        "_job",
        "_ledger",
        "_pack",
        "_rest",
        "_services",
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
        self._clocks = Clocks(job, services, delays_after_cutoff=habits.delay_after_cutoff)
        self._telling = Telling(job, habits.events, services)
        self._ledger = Ledger(
            job,
            self._clocks,
            self._telling,
            services.clock,
            with_sender=habits.retry_with_sender,
            return_path=lambda one: pack([one]).mail.sender or "",
        )
        self._is_crowded = False
        """Too many wait for one of the hosts."""
        self._token = object()
        """Marks sessions that this run has used."""
        self._again: frozenset[str] = frozenset()
        """Retry keys of hosts that are listed twice: they are asked twice."""
        self._rest: list[int] = []
        """Whom the host has not heard of yet: it has been offered as many as it may at once."""
        self._tried_among: bool | None = None
        """Fallback hosts, or others: the last one tried was of those."""
        self._was_pipelining = False
        """At the host before this one."""

    async def run(self, targets: Sequence[Target]) -> list[Outcome]:
        """One outcome for each address of the job."""
        if len(targets) > 1:
            counted = Counter(target.key for target in targets)
            self._again = frozenset(key for key, count in counted.items() if count > 1)
        ledger = self._ledger
        while True:
            await self._go_through(targets)
            unheard = ledger.unheard()
            if self._is_crowded or not unheard or len(unheard) == len(ledger.pending()):
                break
            ledger.put_by(set(ledger.pending()).difference(unheard))
        if not (targets and targets[-1].is_fallback):
            self._note_waiting(targets)
        return ledger.crowded() if self._is_crowded else ledger.conclude()

    async def _go_through(self, targets: Sequence[Target]) -> None:
        """The hosts in order, as far as anybody waits for one."""
        tried, tried_in_all, last_preference = 0, 0, None
        for place, target in enumerate(targets):
            hint = None if self._heeds_no_clock(target) else self._clocks.not_due(target)
            if hint is not None:
                self._ledger.skipped.append(hint)
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
                if not await self._try(target, self._ledger.pending()):
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
            if not self._ledger.pending():
                break

    def _note_waiting(self, targets: Sequence[Target]) -> None:
        """It goes with the next message that one of the hosts takes, unless it is the message or a recipient that they do not want."""
        waiting = self._services.waiting
        if waiting is None or self._habits.connection_max_messages == 1:
            return
        if self._ledger.pending() and not self._ledger.is_about_message:
            names = (target.name for target in targets)
            waiting.note(self._job.envelope.id, self._habits.transport, names)

    def _heeds_no_clock(self, target: Target) -> bool:
        """What keeps others from a host that is listed twice does not keep us from asking again. To fall back on it is no use."""
        return self._job.is_forced or (target.key in self._ledger.asked and not target.is_fallback)

    # One host

    async def _try(self, target: Target, pending: list[int]) -> bool:
        """False: passed over, because another message has just found that the host does not work."""
        self._rest = []
        try:
            manners = await self._habits.manners_for(target)
        except (ExpansionDeferred, ExpansionFailed) as error:
            trouble = Trouble("host", str(error), error="event_close")
            await self._telling.host_troubled(trouble, target)
            self._ledger.defer(pending, trouble, target, None)
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
                self._ledger.skipped.append(hint)
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
                self._ledger.reached = target.remote, opened.interface
            await self._ledger.take_trouble(pending, opened, target, None)
            self._services.keep.note_silence(key)
            return False
        self._services.keep.note_answer(key)
        self._ledger.reached = target.remote, opened.local_address
        part, carried = await self._carry(opened, manners, pending)
        return await self._end_with(opened, key, pending, part, carried)

    async def _end_with(
        self, session: Session, key: Hashable, pending: list[int], part: list[int], carried: Carried
    ) -> bool:
        """What the host said is drawn up, and the connection kept or closed; whether it was kept."""
        left = self._ledger.take(part, carried, session)
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
                self._ledger.put_by(left)
            await self._ledger.take_trouble(left, carried.trouble, session.target, session)
        else:
            first = carried.verdicts[0] if part else None
            await self._ledger.take_trouble(left + rest, carried.trouble, session.target, session, first)
            if carried.trouble.recipient >= 0:
                self._ledger.note_late_recipient(part[carried.trouble.recipient])
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
        is_worn = is_worn or (bool(self._ledger.pending()) and session.target.key in self._again)
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

    def _break_off(self, target: Target, fault: Exception) -> None:
        """A fault of ours: what other hosts have taken stays taken, the rest is tried again."""
        text = f"delivery broke off: {type(fault).__name__}: {fault}"
        self._services.journal.panic(f"{self._job.envelope.id} {text}")
        self._ledger.defer(self._ledger.pending(), Trouble("host", "internal error"), target, None)
