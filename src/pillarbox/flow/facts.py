"""The facts that expansions and drivers see of a message in flight.

A `Scope` (language/expand) carries up to one object of each kind: `Origin` (the connection, `mail.envelope`), `MessageFacts`,
`Candidate` (the address in hand, `flow.route.candidate`) and `Assignment` (a routed address). Variables are declared beside these kinds.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pillarbox.mail.envelope import Envelope, Recipient
from pillarbox.mail.message import Message
from pillarbox.mail.reception import NOTHING
from pillarbox.mail.taint import Tainted, is_tainted, plain


class MessageFacts:
    """What is known of the message so far: it grows during an SMTP transaction and is complete at delivery."""

    __slots__ = (
        "age",
        "auth_sender",
        "id",
        "is_smtputf8",
        "message",
        "queue",
        "received_at",
        "received_for",
        "reception",
        "recipients",
        "recipients_count",
        "sender",
        "size",
        "taken",
        "variables",
        "written_recipients",
        "written_sender",
    )

    def __init__(self, message_id: str = "", sender: str | None = None, received_at: float = 0.0) -> None:
        self.id = message_id
        self.sender = sender
        """`None`: the null sender, or none given yet; `$sender_address` is empty for both."""
        self.received_at = received_at
        self.age = 0
        """Seconds, at the beginning of a delivery attempt; 0 while it comes in."""
        self.is_smtputf8 = False
        self.auth_sender = ""
        """`$authenticated_sender`: who vouches for it, as far as we believe it."""
        self.size = -1
        """Bytes: MAIL's SIZE until the data is here; -1 unknown (Exim's `$message_size`)."""
        self.received_for = ""
        """The recipient, when there is exactly one: `$received_for` in Received: lines."""
        self.recipients_count = 0
        self.message: Message | None = None
        """None until the end of the data: header variables are empty before (Exim 11.5)."""
        self.taken: Message | None = None
        """As it came, while ACLs look at what has become of it."""
        self.variables: dict[str, str] = {}
        """`acl_m…` and `acl_c…`."""
        self.queue = ""
        """The named queue that it waits in."""
        self.recipients: Sequence[Recipient] = ()
        """Of the envelope, as far as they are accepted; for checks."""
        self.reception = NOTHING
        """What ACLs and the session have found out that the message keeps."""
        self.written_sender = ""
        """As it was before rewriting; empty: the same, or the null one."""
        self.written_recipients: tuple[str, ...] = ()
        """The same of the recipients."""

    @classmethod
    def of(cls, envelope: Envelope, message: Message, now: float = 0.0) -> MessageFacts:
        """The facts at delivery time, which is `now` where its age matters."""
        facts = cls(envelope.id, envelope.sender, envelope.received_at)
        facts.age = max(int(now - envelope.received_at), 0)
        facts.is_smtputf8 = envelope.smtputf8
        facts.message, facts.queue = message, envelope.queue
        facts.auth_sender = envelope.auth_sender
        facts.reception = envelope.reception or NOTHING
        facts.size = message.size
        facts.recipients_count = len(envelope.recipients)
        if envelope.acl_variables:
            tainted = envelope.tainted_variables
            facts.variables = {
                name: Tainted(value) if name in tainted else value for name, value in envelope.acl_variables
            }
        return facts

    def keep_written(self, sender: str | None, recipients: Sequence[Recipient] = ()) -> None:
        """What the envelope is before rewriting; of the sender, what it was the first time."""
        self.written_sender = self.written_sender or sender or ""
        self.written_recipients = tuple(each.address for each in recipients)

    @property
    def acl_variables(self) -> tuple[tuple[str, str], ...]:
        """The ACL variables as an envelope keeps them."""
        return tuple((name, plain(value)) for name, value in self.variables.items())

    @property
    def tainted_variables(self) -> tuple[str, ...]:
        return tuple(name for name, value in self.variables.items() if is_tainted(value))


class StrictAclVariables:
    """`strict_acl_vars`: where scopes have this, ACL variables that were never set cannot be read."""


class AclArguments(msgspec.Struct, frozen=True):
    """`$acl_arg1` … of the ACL that was called with arguments."""

    values: tuple[str, ...] = ()
