"""Main `event_action`: a string that is expanded when something happens outside of transports (Exim chapter 61).

    proc:deliver, msg:complete, msg:fail:internal      queue/events.py
    dns:fail                             route/dns_events.py
    auth:fail, tls:cert, tls:fail:connect, smtp:fail:syntax, smtp:fail:protocol      accept/events.py

An action that fails, forced or not, is told of in the panic log, and counts as one that says nothing. Where the option is not set nobody has a
`MainAction`, and nothing is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from pillarbox.flow.facets.delivering import EventFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.ports.journal import Journal

AT_HAND: ContextVar[MessageFacts | None] = ContextVar("at_hand", default=None)
"""The message that this task delivers: what it looks up in vain is told with it."""
_NOTHING: Mapping[type, object] = {}


class MainAction:
    """Whom to tell."""

    __slots__ = ("_action", "_journal", "_services")

    def __init__(self, action: Template, services: Services, journal: Journal) -> None:
        self._action = action
        self._services = services
        self._journal = journal

    async def tell(
        self,
        event: str,
        data: str = "",
        *,
        facets: Mapping[type, object] = _NOTHING,
        scope: Scope | None = None,
        message_id: str = "",
    ) -> str:
        """What the action says to it. `scope`: what is known besides; `facets`: and more of it."""
        if scope is None and not facets and (facts := AT_HAND.get()) is not None:
            facets = {MessageFacts: facts}
        known = {**facets, EventFacts: EventFacts(event, data)}
        within = Scope(known, self._services) if scope is None else scope.with_facets(known)
        return await said_by(self._action, within, self._journal, f"{event} in main", message_id)


async def said_by(action: Template, within: Scope, journal: Journal, what: str, message_id: str) -> str:
    """Empty too where it fails. `what`: the event, and whose action it is, for the panic log."""
    try:
        return await action.expand(within)
    except (ExpansionFailed, ExpansionDeferred) as error:
        who = f"{message_id} " if message_id else ""
        journal.panic(f"{who}failed to expand event_action {what}: {error}")
        return ""
