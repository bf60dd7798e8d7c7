"""The rewrite rules at work on addresses of the flow: what results are completed with, and what the log hears of them (Exim chapter 31)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.rewrite.rules import PLACES, Kind, Note, Result, RewriteRules
from pillarbox.ports.journal import Journal


class Rewriting(NamedTuple):
    rules: RewriteRules
    qualify_with: str
    """For unqualified results of rules with `Q`."""
    journal: Journal
    tells_changes: bool = False
    """`log_selector = +address_rewrite`."""

    def result_now(self, address: str, kind: Kind, scope: Scope, place: str) -> Result:
        """Raises BlockingIOError, ExpansionDeferred."""
        said = place if self.tells_changes else ""
        return self.rules.result_now(address, kind, scope, qualify_with=self.qualify_with, place=said)

    def tell(self, notes: Iterable[Note], message_id: str = "") -> None:
        mark = f"{message_id} " if message_id else ""
        for text, is_complaint in notes:
            (self.journal.panic if is_complaint else self.journal.main)(f"{mark}{text}")

    async def of_envelope(self, address: str, scope: Scope, *, is_sender: bool = False) -> Result:
        """As a sender or a recipient (Exim 31.2). An empty address: the rules say `<>`. Raises ExpansionDeferred, ExpansionFailed."""
        kind: Kind = "F" if is_sender else "T"
        return await replay(scope, lambda run: self.result_now(address, kind, run, PLACES[kind]))

    async def for_verification(self, address: str, scope: Scope, *, is_sender: bool) -> str:
        """The same, and the log is told. Raises ExpansionDeferred, ExpansionFailed."""
        result = await self.of_envelope(address, scope, is_sender=is_sender)
        facts = scope.facet(MessageFacts)
        self.tell(result.notes, facts.id if facts is not None else "")
        return result.address or address
