"""`event_action` of transports: a string that is expanded when something happens (Exim chapter 61).

    tcp:connect           before a connection                 an answer: do not connect
    smtp:connect          behind the banner                   an answer: hang up
    smtp:ehlo             behind the reply to EHLO
    tls:cert              before a certificate is believed    an answer: do not
    auth:fail             a login was refused                 an answer: the line for the log
    dns:fail              a host's name leads nowhere
    msg:rcpt:host:defer   a host deferred a recipient
    msg:rcpt:defer        … and there is no other host
    msg:host:defer        a host could not be used
    msg:defer             … and there was no other
    tcp:close             behind a connection
    msg:delivery          behind the line in the log          msg:fail:delivery: in front of it

Elsewhere nobody asks what it comes to. An action that fails, forced or not, is told of in the panic log, and counts as one that says nothing. A
transport without one has no `Events`, and nothing is done; with one, connections are not kept for the next message, so that each has its
events. Callouts have those of the connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from pillarbox.flow.facets.delivering import EventFacts
from pillarbox.flow.main_action import said_by
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.login import Outbound
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Delivered, Failed, Outcome
from pillarbox.ports.journal import Journal
from pillarbox.wire.exim.error_numbers import number_of

Facets = Mapping[type, object]
NOTHING: Facets = {}


class Events:
    """Of one job, or one callout."""

    __slots__ = ("_action", "_first", "_journal", "_message_id", "_name", "scope")

    def __init__(
        self,
        action: Template,
        transport: str,
        scope: Scope,
        journal: Journal,
        *,
        message_id: str = "",
        first: Assignment | None = None,
    ) -> None:
        """`first`: recipient of the job."""
        self._action = action
        self._name = transport
        self._message_id = message_id
        self._first = first
        self._journal = journal
        self.scope = scope

    async def tell(
        self,
        event: str,
        data: str = "",
        *,
        at: Facets = NOTHING,
        about: Assignment | None = None,
        number: int = 0,
    ) -> str:
        """What the action says to it. `at`: what is known of the connection; `about`: the recipient; `number`: Exim's, of a deferral."""
        facets: dict[type, object] = {EventFacts: EventFacts(event, data, number), **at}
        if about is not None:
            facets |= {Assignment: about, Candidate: about.candidate}
        within = self.scope.with_facets(facets)
        return await said_by(
            self._action, within, self._journal, f"{event} in {self._name}", self._message_id
        )

    async def host_deferred(self, event: str, trouble: Trouble, at: Facets) -> None:
        """`msg:host:defer`, and at the end `msg:defer`: of the whole job, in the name of its first recipient."""
        text = trouble.text
        if trouble.os_error:
            text = f"{text}: {trouble.os_error}"
        elif trouble.error == "event":
            text = ""
        number = number_of(trouble.error)
        await self.tell(event, text, at=at, about=self._first, number=number)

    def announced(self, job: Job, outcomes: Sequence[Outcome], *, is_local: bool) -> list[Outcome]:
        """With what is to be told when their lines are written."""
        return [
            self.with_announcement(assignment, outcome, _where(outcome), is_local=is_local)
            for assignment, outcome in zip(job.assignments, outcomes, strict=False)
        ]

    def with_announcement(
        self, assignment: Assignment, outcome: Outcome, at: Facets, *, is_local: bool = False
    ) -> Outcome:
        match outcome:
            case Delivered():
                event, data = "msg:delivery", outcome.reply.as_said if outcome.reply is not None else ""
            case Failed():
                event, data = "msg:fail:delivery", "" if is_local else outcome.reason.log
            case _:
                return outcome
        if outcome.announce is not None:
            return outcome

        async def announce() -> None:
            await self.tell(event, data, at=at, about=assignment)

        return replace(outcome, announce=announce)


def _where(outcome: Outcome) -> Facets:
    host = outcome.host
    if host is None:
        return {Outbound: Outbound("", "", 0)}
    return {Outbound: Outbound(host.name, host.address, host.port, outcome.security.cipher)}
