"""A mail transaction: from MAIL to the reply after the data."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import CheckMemory, HeaderChanges
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Recipient
from pillarbox.ports.spool import BodyWriter
from pillarbox.wire.smtp.events import Mail


class Transaction:
    """What has been said and decided since MAIL."""

    __slots__ = (
        "began",
        "body",
        "changes",
        "controls",
        "discard_text",
        "discarded_by",
        "facts",
        "has_too_many",
        "headers",
        "is_chunked",
        "is_dropped",
        "mail",
        "memory",
        "named",
        "recipients",
        "scope",
        "trouble",
    )

    def __init__(self, mail: Mail, facts: MessageFacts, scope: Scope) -> None:
        self.mail = mail
        self.facts = facts
        self.scope = scope
        self.began = facts.received_at
        """Seconds since the epoch."""
        self.named = 0
        """RCPT commands."""
        self.recipients: list[Recipient] = []
        facts.recipients = self.recipients
        self.controls: dict[str, str] = {}
        self.changes = HeaderChanges()
        self.discarded_by = ""
        """The ACL that has thrown recipients away, for the log: `MAIL`, `RCPT`, `DATA`."""
        self.discard_text = ""
        """Why, for the log."""
        self.memory: CheckMemory | None = None
        """What ACLs remember of it; made when the first one runs."""
        self.is_chunked = False
        """It comes by BDAT."""
        self.has_too_many = False
        """More than `recipients_max` were named."""
        self.is_dropped = False
        """The data ACL says `drop`: close after the reply."""
        self.headers = bytearray()
        """Of a large message, as its chunks come: the block so far, or whole once `body` is there."""
        self.body: BodyWriter | None = None
        self.trouble = ""
        """Why the spool could not take a piece: the rest is swallowed and refused."""

    @property
    def sender(self) -> str | None:
        """Qualified; None: `<>`. An ACL that verifies it has it rewritten."""
        return self.facts.sender
