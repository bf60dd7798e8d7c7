"""Main `event_action`: a string that is expanded when a message ends, and when an address fails before any transport has it (Exim chapter 61).

    msg:fail:internal    `$event_data`: why; the address is in `$local_part` and `$domain`
    msg:complete         behind the last line in the log

Nobody asks what it comes to. An action that fails is told of in the panic log. Where the option is not set there is no `MainEvents`, and an
ordinary `Settler`. Known gaps: `proc:deliver`, and the events of sessions and of TLS, are not told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from pillarbox.flow.facets.delivering import EventFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.queue.notices import recipients_of
from pillarbox.flow.queue.replacing import NO_REPLACEMENTS
from pillarbox.flow.queue.settle import Settlement, Settler
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.outcome import Failed, Outcome
from pillarbox.mail.progress import Added
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import Queued

GIVEN_UP = "delivery cancelled by administrator"


class MainEvents:
    """Whom to tell."""

    __slots__ = ("_action", "_ending", "_journal", "_services")

    def __init__(self, action: Template, services: Services, journal: Journal) -> None:
        self._action = action
        self._services = services
        self._journal = journal
        self._ending: dict[str, MessageFacts] = {}
        """Messages that have been settled, and not yet left the spool."""

    async def failed(self, queued: Queued, failure: Failed) -> None:
        await self._failed(queued, failure.address, failure.router, failure.reason.log or GIVEN_UP)

    async def removed(self, queued: Queued, caller: str) -> None:
        """`-Mrm`: of every address that is left, and of the message."""
        for address in recipients_of(queued):
            if address not in queued.progress.settled:
                await self._failed(queued, address, "", f"message removed by {caller}")
        self.ending(queued)
        await self.complete(queued.id)

    def ending(self, queued: Queued) -> None:
        """`complete` comes next."""
        self._ending[queued.id] = MessageFacts.of(queued.envelope, queued.message)

    async def complete(self, message_id: str) -> None:
        facts = self._ending.pop(message_id, None)
        await self._tell(
            message_id, EventFacts("msg:complete"), {} if facts is None else {MessageFacts: facts}
        )

    async def _failed(self, queued: Queued, address: str, router: str, why: str) -> None:
        candidate = Candidate.first(Recipient(address))
        facets: dict[type, object] = {
            MessageFacts: MessageFacts.of(queued.envelope, queued.message),
            Candidate: candidate,
            Assignment: Assignment(
                candidate=candidate, router=router, transport="", local_part=candidate.local_part
            ),
        }
        await self._tell(queued.id, EventFacts("msg:fail:internal", why), facets)

    async def _tell(self, message_id: str, event: EventFacts, facets: dict[type, object]) -> None:
        try:
            await self._action.expand(Scope({**facets, EventFacts: event}, self._services))
        except ForcedFailure:
            pass
        except (ExpansionFailed, ExpansionDeferred) as error:
            self._journal.panic(f"{message_id} failed to expand event_action {event.name} in main: {error}")


class TellingSettler(Settler):
    """One that has somebody to tell."""

    __slots__ = ("events",)

    events: MainEvents

    async def settle(
        self,
        queued: Queued,
        outcomes: Sequence[Outcome],
        errors_to: dict[str, str],
        replacements: Mapping[str, Added] = NO_REPLACEMENTS,
        told: Set[int] = frozenset(),
        *,
        is_provisional: bool = False,
    ) -> Settlement:
        for outcome in outcomes:
            if isinstance(outcome, Failed) and not outcome.transport:
                await self.events.failed(queued, outcome)
        settlement = await super().settle(
            queued, outcomes, errors_to, replacements, told, is_provisional=is_provisional
        )
        if settlement.is_complete:
            self.events.ending(queued)
        return settlement

    async def complete(self, message_id: str) -> None:
        await super().complete(message_id)
        await self.events.complete(message_id)
