"""What is told of an attempt while it runs: lines in the log about hosts, and the events of `event_action` (../events.py).

What happens to recipients is gathered and told before the connection is closed, what happens to the host behind it, as Exim does.
"""

from __future__ import annotations

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.transaction import Verdict
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.events import Events, Facets
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.login import Outbound
from pillarbox.flow.transport.services import TransportServices
from pillarbox.mail.outcome import Outcome
from pillarbox.wire.exim.error_numbers import further_of
from pillarbox.wire.exim.outcome_line import line_host_trouble, line_recipient_trouble


class Telling:
    """Of one job."""

    __slots__ = ("_events", "_gathered", "_id", "_services", "has_next")

    def __init__(self, job: Job, events: Events | None, services: TransportServices) -> None:
        self._id = job.envelope.id
        self._events = events
        self._services = services
        self._gathered: list[str | tuple[str, str, int, Assignment]] = []
        """Lines for the log; events: name, data, Exim's number, whom it is about."""
        self.has_next = False
        """There is another host to try."""

    def recipient_deferred(self, assignment: Assignment, verdict: Verdict, target: Target) -> None:
        """The log would not have it when another host is tried."""
        if self._events is not None and not verdict.is_of_content:
            number = further_of(str(verdict.reply.code), is_response=True)
            self._gathered.append(("msg:rcpt:host:defer", verdict.text, number, assignment))
            if not self.has_next:
                self._gathered.append(("msg:rcpt:defer", verdict.text, number, assignment))
        if self.has_next and not verdict.is_of_content:
            style = self._services.style
            self._gathered.append(line_recipient_trouble(self._id, target.remote, verdict.text, style))

    def message_deferred(self, trouble: Trouble, target: Target) -> None:
        self._gathered.append(self._line_of(trouble, target))

    async def before_end(self, session: Session) -> None:
        """The connection is about to be closed, or kept."""
        if not self._gathered:
            return
        gathered, self._gathered = self._gathered, []
        for one in gathered:
            if isinstance(one, str):
                self._services.journal.main(one)
            elif self._events is not None:
                event, data, number, about = one
                at = session.facets(self._events.scope)
                await self._events.tell(event, data, at=at, about=about, number=number)

    async def host_troubled(self, trouble: Trouble, target: Target) -> None:
        """The log has told already of TLS that failed, and tells of a login with the addresses."""
        if trouble.concern == "host" and not (trouble.is_tls or trouble.error == "auth_failed"):
            self._services.journal.main(self._line_of(trouble, target))
        if self._events is None:
            return
        at: Facets = {Outbound: target.outbound()}
        if trouble.concern == "host":
            await self._events.host_deferred("msg:host:defer", trouble, at)
        if not self.has_next:
            await self._events.host_deferred("msg:defer", trouble, at)

    def announced(self, assignment: Assignment, outcome: Outcome, session: Session) -> Outcome:
        """What is final, with what is to be told of it."""
        if self._events is None:
            return outcome
        return self._events.with_announcement(assignment, outcome, session.facets(self._events.scope))

    def _line_of(self, trouble: Trouble, target: Target) -> str:
        text = f"{trouble.text}: {trouble.os_error}" if trouble.os_error else trouble.text
        return line_host_trouble(self._id, target.remote, text, trouble.error, self._services.style)
