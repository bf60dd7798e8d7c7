"""`event_action` of transports: a string that is expanded when something happens (Exim chapter 61).

What it comes to matters for `tcp:connect` (do not connect) and `smtp:connect` (hang up); otherwise nobody asks. An action that fails is told of,
and counts as one that says nothing. A transport without one has no `Events`, and nothing is done.

Known gaps: `dns:fail`, `tls:cert` and `dane:fail` are not told; `msg:delivery` comes before the line in the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from pillarbox.flow.facets.delivering import EventFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.login import Outbound
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome
from pillarbox.ports.journal import Journal


class Events:
    """Of one job."""

    __slots__ = ("_action", "_journal", "_name", "_scope")

    def __init__(self, action: Template, transport: str, scope: Scope, journal: Journal) -> None:
        self._action = action
        self._name = transport
        self._scope = scope
        self._journal = journal

    async def tell(
        self,
        event: str,
        data: str = "",
        *,
        at: Outbound | None = None,
        about: Assignment | None = None,
    ) -> str:
        """What the action says to it. `at`: the host in question; `about`: the recipient."""
        facets: dict[type, object] = {EventFacts: EventFacts(event, data)}
        if at is not None:
            facets[Outbound] = at
        if about is not None:
            facets |= {Assignment: about, Candidate: about.candidate}
        try:
            return await self._action.expand(self._scope.with_facets(facets))
        except ForcedFailure:
            return ""
        except (ExpansionFailed, ExpansionDeferred) as error:
            self._journal.panic(f"failed to expand event_action {event} in {self._name}: {error}")
            return ""


async def tell_of_outcomes(events: Events, job: Job, outcomes: Sequence[Outcome]) -> None:
    """What has come of each recipient in the end."""
    for assignment, outcome in zip(job.assignments, outcomes, strict=False):
        at = None
        if outcome.host is not None:
            at = Outbound(outcome.host.name, outcome.host.address, outcome.host.port, outcome.security.cipher)
        match outcome:
            case Delivered():
                said = outcome.reply.as_said if outcome.reply is not None else ""
                await events.tell("msg:delivery", said, at=at, about=assignment)
            case Failed():
                await events.tell("msg:fail:delivery", outcome.reason.log, at=at, about=assignment)
            case Deferred() if outcome.error == "rcpt_4xx":
                await events.tell("msg:rcpt:defer", outcome.reason.log, at=at, about=assignment)
            case Deferred():
                await events.tell("msg:defer", outcome.reason.log, at=at, about=assignment)
