"""A mail transaction: from MAIL to the reply after the data."""

from __future__ import annotations

from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Recipient
from pillarbox.ports.spool import BodyWriter
from pillarbox.wire.smtp.events import Mail


class Transaction:
    """What has been said and decided since MAIL."""

    __slots__ = (
        "added_headers",
        "body",
        "controls",
        "facts",
        "headers",
        "is_discarded",
        "mail",
        "recipients",
        "removed_headers",
        "scope",
        "sender",
    )

    def __init__(self, mail: Mail, sender: str | None, facts: MessageFacts, scope: Scope) -> None:
        self.mail = mail
        self.sender = sender
        """Qualified; None: `<>`."""
        self.facts = facts
        self.scope = scope
        self.recipients: list[Recipient] = []
        self.controls: dict[str, str] = {}
        self.added_headers: list[str] = []
        self.removed_headers: list[str] = []
        self.is_discarded = False
        self.headers = b""
        """Of a large message, as its chunks come: the block so far, or whole once `body` is there."""
        self.body: BodyWriter | None = None
