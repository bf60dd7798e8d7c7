"""What the main `event_action` (../main_action.py) hears of messages: that one is to be delivered, that it ends, that an address
fails before any transport has it.

    proc:deliver         a delivery begins: `$event_data` is the message's id
    msg:fail:internal    `$event_data`: why; the address is in `$local_part` and `$domain`
    msg:complete         behind the last line in the log

Nobody asks what it comes to. Where the option is not set there is no `MainEvents`, and an ordinary `Settler`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.main_action import AT_HAND, MainAction
from pillarbox.flow.queue.notices import recipients_of
from pillarbox.flow.queue.replacing import NO_REPLACEMENTS
from pillarbox.flow.queue.routed import ErrorsTo
from pillarbox.flow.queue.settle import Settler
from pillarbox.flow.queue.settling import Settlement
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.outcome import Failed, Outcome
from pillarbox.mail.progress import Added
from pillarbox.ports.spool import Queued

GIVEN_UP = "delivery cancelled by administrator"


class MainEvents:
    """Whom to tell."""

    __slots__ = ("_action", "_ending")

    def __init__(self, action: MainAction) -> None:
        self._action = action
        self._ending: dict[str, MessageFacts] = {}
        """Messages that have been settled, and not yet left the spool."""

    async def beginning(self, queued: Queued) -> None:
        """Of an attempt. What this task looks up from now on is told with the message at hand."""
        AT_HAND.set(None)
        await self._action.tell("proc:deliver", queued.id)
        AT_HAND.set(MessageFacts.of(queued.envelope, queued.message))

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
        known: dict[type, object] = {} if facts is None else {MessageFacts: facts}
        await self._action.tell("msg:complete", facets=known, message_id=message_id)

    async def _failed(self, queued: Queued, address: str, router: str, why: str) -> None:
        candidate = Candidate.first(Recipient(address))
        facets: dict[type, object] = {
            MessageFacts: MessageFacts.of(queued.envelope, queued.message),
            Candidate: candidate,
            Assignment: Assignment(
                candidate=candidate, router=router, transport="", local_part=candidate.local_part
            ),
        }
        await self._action.tell("msg:fail:internal", why, facets=facets, message_id=queued.id)


class TellingSettler(Settler):
    """One that has somebody to tell."""

    __slots__ = ("events",)

    events: MainEvents

    async def settle(
        self,
        queued: Queued,
        outcomes: Sequence[Outcome],
        errors_to: ErrorsTo,
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
